// orepa_tool: trains, tests, times, converts and shows networks. Exit code 0: done; 1: it failed;
// 2: it was called wrongly; 3: a training was stopped by a signal, its snapshot written.
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>

#include "command_line.h"
#include "flags.h"
#include "orepa/error.h"
#include "signals.h"
#include "waiting.h"

namespace orepa::tool {
namespace {

bool asks_for_help(const std::string& word) {
  return word == "--help" || word == "-help" || word == "-h";
}

// Whether the file is what stdout leads to: /dev/stdout, or what the shell has put there.
bool is_standard_output(const std::string& path) {
  struct stat file {
  }, out{};
  return ::stat(path.c_str(), &file) == 0 && ::fstat(STDOUT_FILENO, &out) == 0 &&
         file.st_dev == out.st_dev && file.st_ino == out.st_ino;
}

// `arguments` are main()'s. `name` becomes that of the command, once it is known.
void run(char** arguments, const std::vector<std::string>& words, std::string& name) {
  if (words.empty()) throw UsageError("no command was given");
  if (words[0] == "help" || asks_for_help(words[0])) {
    std::cout << general_help();
    return;
  }
  const size_t named = words_of_command(words);
  const Command& command = find_command(named == 2 ? words[0] + " " + words[1] : words[0]);
  name += " " + command.name;
  const std::vector<std::string> flags(words.begin() + static_cast<ptrdiff_t>(named), words.end());
  if (std::any_of(flags.begin(), flags.end(), asks_for_help)) {
    std::cout << command_help(command);
    return;
  }
  set_flags(command, flags);
  shorten_waiting(arguments);
  listen_to_signals();
  // A report is no part of the file that is written there.
  for (const std::string& output : {FLAGS_output, FLAGS_output_weights})
    if (is_standard_output(output)) std::cout.rdbuf(std::cerr.rdbuf());
  command.run();
}

// What was printed must have arrived: the disk behind stdout may be full.
void finish_output() {
  std::cout.flush();
  require(std::cout.good(), "the output could not be written");
}

}  // namespace
}  // namespace orepa::tool

int main(int argc, char** argv) {
  google::InstallFailureSignalHandler();  // a crash is a bug of ours: show where
  // Where nobody reads what is printed any more, a training goes on, and a file is written.
  std::signal(SIGPIPE, SIG_IGN);
  std::string name = "orepa_tool";
  try {
    orepa::tool::run(argv, {argv + 1, argv + argc}, name);
    orepa::tool::finish_output();
    return 0;
  } catch (const orepa::tool::UsageError& error) {
    std::cerr << "error: " << error.what() << "\n`" << name << " --help` says how it is used.\n";
    return 2;
  } catch (const orepa::tool::Stopped& stopped) {
    std::cout << stopped.what() << std::endl;
    return 3;
  } catch (const orepa::tool::Told&) {
    return 1;
  } catch (const std::bad_alloc&) {
    std::cerr << "error: out of memory\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
  }
  return 1;
}
