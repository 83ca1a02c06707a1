// Loaded into a process with LD_PRELOAD, this notes how much of each file is surely on disk, so that a test can
// afterwards take away everything else: the model of a power cut. It changes nothing in what the process does.
//
// Every successful fsync or fdatasync appends `<device> <inode> <size>\n` to the file named by
// UNSYNCED_TRACKER_JOURNAL, where size is what the file had when the call began: bytes written during the call are not
// promised. A file that is created or emptied by open(2) gets a line with size 0, so that a reused inode does not
// inherit a promise. A file that is never mentioned was never synced. The journal is written with one write(2) per line
// and outlives a kill -9 of the process.
//
// Not modelled: rename and unlink are taken as durable at once, and bytes overwritten in place as unchanged, which
// holds for the append-only files of RocksDB (it calls fdatasync, fsync and open through libc; verified with 7.8.3).
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace {

// The journal's own descriptor; -1 when no journal was asked for. Opened at the first call: other libraries' static
// initialisation may open files before ours has run.
int Journal() {
  static const int descriptor = [] {
    const char* path = std::getenv("UNSYNCED_TRACKER_JOURNAL");
    if (path == nullptr) return -1;
    using Open = int (*)(const char*, int, ...);
    auto real_open = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "open"));
    const int opened = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (opened < 0) {
      // A run without its journal would prove nothing.
      std::perror("unsynced_tracker: cannot open UNSYNCED_TRACKER_JOURNAL");
      std::abort();
    }
    return opened;
  }();
  return descriptor;
}

void Note(const struct stat& file, off_t size) {
  char line[96];
  const int length = std::snprintf(line, sizeof line, "%lu %lu %lld\n", static_cast<unsigned long>(file.st_dev),
                                   static_cast<unsigned long>(file.st_ino), static_cast<long long>(size));
  if (write(Journal(), line, static_cast<std::size_t>(length)) != length) {
    std::perror("unsynced_tracker: cannot write the journal");
    std::abort();
  }
}

int Synced(const char* function, int descriptor) {
  using Sync = int (*)(int);
  auto real_sync = reinterpret_cast<Sync>(dlsym(RTLD_NEXT, function));
  struct stat file {};
  const bool known = Journal() >= 0 && fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode);
  const int result = real_sync(descriptor);
  const int saved_errno = errno;
  if (known && result == 0) Note(file, file.st_size);
  errno = saved_errno;
  return result;
}

// After an open that may have created or emptied the file.
int Opened(int descriptor, int flags) {
  const int saved_errno = errno;
  struct stat file {};
  if (descriptor >= 0 && (flags & (O_CREAT | O_TRUNC)) != 0 && Journal() >= 0 && fstat(descriptor, &file) == 0 &&
      S_ISREG(file.st_mode) && file.st_size == 0) {
    Note(file, 0);
  }
  errno = saved_errno;
  return descriptor;
}

mode_t ModeArgument(int flags, std::va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int fsync(int descriptor) {
  return Synced("fsync", descriptor);
}

int fdatasync(int descriptor) {
  return Synced("fdatasync", descriptor);
}

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeArgument(flags, arguments);
  va_end(arguments);
  using Open = int (*)(const char*, int, ...);
  return Opened(reinterpret_cast<Open>(dlsym(RTLD_NEXT, "open"))(path, flags, mode), flags);
}

int open64(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeArgument(flags, arguments);
  va_end(arguments);
  using Open = int (*)(const char*, int, ...);
  return Opened(reinterpret_cast<Open>(dlsym(RTLD_NEXT, "open64"))(path, flags, mode), flags);
}

int openat(int folder, const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeArgument(flags, arguments);
  va_end(arguments);
  using OpenAt = int (*)(int, const char*, int, ...);
  return Opened(reinterpret_cast<OpenAt>(dlsym(RTLD_NEXT, "openat"))(folder, path, flags, mode), flags);
}

}  // extern "C"
