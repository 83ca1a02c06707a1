#include "tests/integration/service/service_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/time/deadline.h"

namespace holdfast {
namespace {

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// In the child, between fork and exec: only calls that are safe there.
void Redirect(const char* path, int flags, int descriptor) {
  const int opened = open(path, flags, 0600);
  if (opened < 0 || dup2(opened, descriptor) < 0) _exit(127);
  close(opened);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name, std::ios::binary) << text;
  return (path_ / name).string();
}

Process::Process(const Options& options) {
  const std::string input = folder_.Write("input", options.input);
  const std::string output = folder_.Write("output", "");
  const std::string errors = folder_.Write("errors", "");
  std::vector<std::string> words{HOLDFAST_BINARY};
  words.insert(words.end(), options.words.begin(), options.words.end());
  std::vector<std::string> variables{"PATH=/usr/bin:/bin"};
  // Where a sanitizer writes what it finds, when the program is built with one (scripts/sanitize.sh).
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) variables.push_back(std::string(name).append("=").append(value));
  }
  for (const auto& [name, value] : options.environment) variables.push_back(name + "=" + value);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    Redirect(input.c_str(), O_RDONLY, STDIN_FILENO);
    Redirect(output.c_str(), O_WRONLY, STDOUT_FILENO);
    Redirect(errors.c_str(), O_WRONLY, STDERR_FILENO);
    if (chdir(folder_.path().c_str()) != 0) _exit(127);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
}

Process::~Process() {
  if (!Running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Process::Signal(int signal) const {
  if (!exit_code_) kill(pid_, signal);
}

void Process::Pause() const {
  Signal(SIGSTOP);
  siginfo_t stopped{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED) != 0) ADD_FAILURE() << "it does not stop";
}

bool Process::Running() {
  if (exit_code_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

int Process::Wait(std::chrono::seconds patience) {
  const Deadline deadline = Deadline::After(patience);
  while (Running()) {
    if (deadline.Expired()) {
      ADD_FAILURE() << "still running; it said: " << Errors();
      kill(pid_, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return *exit_code_;
}

std::string Process::Output() const {
  return Read(folder_.path() / "output");
}

std::string Process::Errors() const {
  return Read(folder_.path() / "errors");
}

Finished RunHoldfast(const Process::Options& options) {
  Process process(options);
  Finished finished;
  finished.exit_code = process.Wait();
  finished.output = process.Output();
  finished.errors = process.Errors();
  return finished;
}

void MigrateUp(const std::string& database_url) {
  Process::Options options;
  options.words = {"migrate", "up"};
  options.environment = {{"HOLDFAST_MIGRATION_URL", database_url}};
  const Finished migrated = RunHoldfast(options);
  EXPECT_EQ(migrated.exit_code, 0) << migrated.errors;
}

}  // namespace holdfast
