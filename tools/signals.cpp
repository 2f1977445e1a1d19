#include "signals.h"

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <initializer_list>
#include <thread>

namespace orepa::tool {
namespace {

std::atomic<bool> stop_asked = false, snapshot_asked = false;

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

[[noreturn]] void take_signals(sigset_t signals, Request on_interrupt, Request on_hangup) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    const Request request = signal == SIGINT   ? on_interrupt
                            : signal == SIGHUP ? on_hangup
                                               : Request::kStop;
    if (request == Request::kSnapshot) snapshot_asked = true;
    if (request != Request::kStop) continue;
    stop_asked = true;
    const sigset_t interrupt = set_of({SIGINT});
    sigdelset(&signals, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  }
}

}  // namespace

void listen_to_signals(Request on_interrupt, Request on_hangup) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, SIG_DFL);  // nohup and shells ignore some: then they would not come at all
  const sigset_t signals = set_of({SIGINT, SIGTERM, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(take_signals, signals, on_interrupt, on_hangup).detach();
}

Request take_request() {
  if (stop_asked) return Request::kStop;
  return snapshot_asked.exchange(false) ? Request::kSnapshot : Request::kNone;
}

}  // namespace orepa::tool
