// What the tests run in pods. The first argument says how it behaves:
//   sleep                      until it is told to stop
//   stubborn                   ignores SIGTERM
//   exit <status>              at once
//   serve <address> <port> <folder>  HTTP: 200 while <folder>/healthy exists, else 503
//   show <file>                writes its arguments and environment there, then sleeps
//   child <file>               starts a child process through the runner's Process, writes its id there, then sleeps
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "base/http/http_listener.h"
#include "operator/local/process_runner/process.h"

namespace {

[[noreturn]] void Sleep() {
  while (true) pause();
}

int Serve(const std::string& address, const std::string& port, const std::string& folder) {
  holdfast::http::ListenerOptions options;
  options.address = address;
  options.port = static_cast<std::uint16_t>(std::stoi(port));
  auto listener = holdfast::http::HttpListener::Start(
      options, [&](const holdfast::http::ServerRequest&, holdfast::http::ResponseWriter& writer) {
        bool healthy = std::filesystem::exists(std::filesystem::path(folder) / "healthy");
        writer.Send(healthy ? 200 : 503, {{"Content-Type", "text/plain"}}, "");
      });
  if (!listener.ok()) {
    std::cerr << listener.error().message() << std::endl;
    return 1;
  }
  std::cout << "serving" << std::endl;
  Sleep();
}

int Show(int argc, char** argv, char** environment) {
  std::string path = argv[2];
  {
    std::ofstream file(path + ".new");
    for (int i = 0; i < argc; ++i) file << argv[i] << "\n";
    for (char** each = environment; *each != nullptr; ++each) file << *each << "\n";
  }
  std::filesystem::rename(path + ".new", path);
  Sleep();
}

int StartChild(const std::string& program, const std::string& path) {
  auto child = holdfast::local::Process::Start({{program, "stubborn"}, {}, "/", STDOUT_FILENO});
  if (!child.ok()) return 1;
  std::ofstream(path + ".new") << child->pid();
  std::filesystem::rename(path + ".new", path);
  Sleep();
}

}  // namespace

int main(int argc, char** argv, char** environment) {
  std::string behaviour = argc > 1 ? argv[1] : "";
  if (behaviour == "sleep") Sleep();
  if (behaviour == "stubborn") {
    signal(SIGTERM, SIG_IGN);
    Sleep();
  }
  if (behaviour == "exit" && argc > 2) return std::atoi(argv[2]);
  if (behaviour == "serve" && argc > 4) return Serve(argv[2], argv[3], argv[4]);
  if (behaviour == "show" && argc > 2) return Show(argc, argv, environment);
  if (behaviour == "child" && argc > 2) return StartChild(argv[0], argv[2]);
  return 64;
}
