#include "service/backends/rocksdb/table_file.h"

#include <utility>
#include <vector>

#include "base/log/log.h"

namespace holdfast::storage {

std::string LoadingFolder(const std::string& database_path) {
  return database_path + "/loading";
}

void ClearLoadingFolder(rocksdb::Env& env, const std::string& database_path) {
  const std::string folder = LoadingFolder(database_path);
  std::vector<std::string> names;
  if (!env.GetChildren(folder, &names).ok()) return;
  for (const std::string& name : names) {
    if (!name.ends_with(".sst")) continue;
    const rocksdb::Status removed = env.DeleteFile(folder + "/" + name);
    if (!removed.ok()) log::Warn("a file of an ended load stays", {{"file", name}, {"error", removed.ToString()}});
  }
}

TableFile::TableFile(Database& database, rocksdb::ColumnFamilyHandle* family, std::string path)
    : family_(family),
      path_(std::move(path)),
      options_(database.db->GetOptions(family)),
      // What is in the kernel's cache is wanted there: it is about to be read.
      writer_(rocksdb::EnvOptions(options_), options_, family, /*invalidate_page_cache=*/false) {}

TableFile::~TableFile() {
  if (begun_) options_.env->DeleteFile(path_).PermitUncheckedError();
}

rocksdb::Status TableFile::Begin() {
  if (begun_) return rocksdb::Status::OK();
  begun_ = true;
  return writer_.Open(path_);
}

rocksdb::Status TableFile::Put(std::string_view key, std::string_view row) {
  const rocksdb::Status begun = Begin();
  return begun.ok() ? writer_.Put(key, row) : begun;
}

rocksdb::Status TableFile::Delete(std::string_view key) {
  const rocksdb::Status begun = Begin();
  return begun.ok() ? writer_.Delete(key) : begun;
}

rocksdb::Status TableFile::Finish() {
  return begun_ ? writer_.Finish() : rocksdb::Status::OK();
}

rocksdb::IngestExternalFileArg TableFile::Argument() const {
  rocksdb::IngestExternalFileArg file;
  file.column_family = family_;
  file.external_files = {path_};
  // A link of its own instead of a copy; and the number that the rows get is kept beside the file instead of in it.
  file.options.move_files = true;
  file.options.write_global_seqno = false;
  return file;
}

}  // namespace holdfast::storage
