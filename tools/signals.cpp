#include "signals.h"

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "core/temporary_file.h"

namespace orepa::tool {
namespace {

std::atomic<Request> on_interrupt = Request::kStop, on_hangup = Request::kStop,
                     on_terminate = Request::kStop;
std::atomic<bool> training = false, stop_asked = false, snapshot_asked = false;

std::atomic<Request>& effect_of(int signal) {
  return signal == SIGINT ? on_interrupt : signal == SIGHUP ? on_hangup : on_terminate;
}

// As if nobody had waited for it.
void end_by(int signal) {
  remove_temporary_files();
  sigset_t alone;
  sigemptyset(&alone);
  sigaddset(&alone, signal);
  pthread_sigmask(SIG_UNBLOCK, &alone, nullptr);
  std::raise(signal);
}

void answer(int signal) {
  const Request effect = effect_of(signal);
  if (signal == SIGINT && stop_asked) end_by(signal);
  if (effect == Request::kStop && !training) end_by(signal);
  if (effect == Request::kStop) stop_asked = true;
  if (effect == Request::kSnapshot) snapshot_asked = true;
}

[[noreturn]] void take_signals(sigset_t signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) == 0) answer(signal);
  }
}

}  // namespace

void listen_to_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // nohup and shells ignore some: then they would not come at all.
    if (std::signal(signal, SIG_DFL) == SIG_IGN) effect_of(signal) = Request::kNone;
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(take_signals, signals).detach();
}

void set_effects(Request interrupt, Request hangup) {
  on_interrupt = interrupt;
  on_hangup = hangup;
  on_terminate = Request::kStop;
}

void begin_training() { training = true; }

Request take_request() {
  if (stop_asked) return Request::kStop;
  return snapshot_asked.exchange(false) ? Request::kSnapshot : Request::kNone;
}

}  // namespace orepa::tool
