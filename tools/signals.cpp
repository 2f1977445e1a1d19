#include "signals.h"

#include <csignal>

namespace orepa::tool {
namespace {

// One flag a request: a handler may only write to these.
volatile std::sig_atomic_t stop_asked = 0, snapshot_asked = 0;
Request interrupt_request = Request::kStop, hangup_request = Request::kSnapshot;

void handle(int signal) {
  const Request request = signal == SIGINT   ? interrupt_request
                          : signal == SIGHUP ? hangup_request
                                             : Request::kStop;
  if (request == Request::kSnapshot) snapshot_asked = 1;
  if (request != Request::kStop) return;
  stop_asked = 1;
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace

void listen_to_signals(Request on_interrupt, Request on_hangup) {
  interrupt_request = on_interrupt;
  hangup_request = on_hangup;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

Request take_request() {
  if (stop_asked != 0) return Request::kStop;
  if (snapshot_asked == 0) return Request::kNone;
  snapshot_asked = 0;
  return Request::kSnapshot;
}

}  // namespace orepa::tool
