// SIGINT, SIGTERM and SIGHUP. They end the process, which leaves nothing half written behind; but
// while a net is trained, they are requests: SIGTERM snapshots and stops, SIGINT and SIGHUP do what
// --sigint_effect and --sighup_effect say.
#pragma once
#include "orepa/solver.h"

namespace orepa::tool {

// Starts a thread that waits for them: handlers may not run on those that compute
// (see make_device()). What was ignored when the process began stays ignored. REQUIRES: no other
// thread runs yet; those that are started later inherit that they take none.
void listen_to_signals();

// What they ask for from now on, also what was ignored. A stop still ends the process: there is
// nothing to snapshot.
void set_effects(Request on_interrupt, Request on_hangup);
// From now on a stop is a request, though a SIGINT after it ends the process at once.
void begin_training();

// The strongest request since the last call.
Request take_request();

}  // namespace orepa::tool
