// What the user asks of a running training by signals: SIGTERM snapshots and stops, SIGINT and
// SIGHUP do what --sigint_effect and --sighup_effect say. A SIGINT after a stop was asked for ends
// the process at once.
#pragma once
#include "orepa/solver.h"

namespace orepa::tool {

// Starts a thread that waits for them: handlers may not run on those that train
// (make_cpu_device()). REQUIRES: no other thread runs yet; those that are started later inherit
// that they take none.
void listen_to_signals(Request on_interrupt, Request on_hangup);

// The strongest request since the last call.
Request take_request();

}  // namespace orepa::tool
