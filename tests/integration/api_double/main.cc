// The API server inside `holdfast-operator local`, alone: what the end-to-end cases run on beside the real one.
//   holdfast-api-double PORT     serves on 127.0.0.1:PORT until SIGINT or SIGTERM
#include <charconv>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <string_view>
#include <utility>

#include "operator/local/api_server/api_server.h"

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  const std::string_view text = argc == 2 ? argv[1] : "";
  if (std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
    std::cerr << "usage: holdfast-api-double PORT\n";
    return 2;
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  // Before any thread is there, so that none of them takes the signal.
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);

  holdfast::local::ApiServerOptions options;
  options.port = port;
  holdfast::local::ApiServer server(std::move(options));
  if (const holdfast::Status listening = server.Listen(); !listening.ok()) {
    std::cerr << "holdfast-api-double: " << listening.error().ToString() << "\n";
    return 1;
  }
  int signal = 0;
  sigwait(&stop, &signal);
}
