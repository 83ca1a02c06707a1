// A table file that is made outside of the database, to become part of it in one step.
#pragma once

#include <rocksdb/sst_file_writer.h>

#include <string>
#include <string_view>

#include "service/backends/rocksdb/database.h"

namespace holdfast::storage {

// The folder they are made in.
std::string LoadingFolder(const std::string& database_path);
// What a process has left there that ended. A file that cannot be removed stays and is logged.
void ClearLoadingFolder(rocksdb::Env& env, const std::string& database_path);

// Not thread-safe. There is no file before the first row; it is removed with the object, whatever became of it: what
// the database has taken in is a link of its own.
class TableFile {
 public:
  TableFile(Database& database, rocksdb::ColumnFamilyHandle* family, std::string path);
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;
  ~TableFile();

  // Rows in the order of their keys. After an error it is of no more use.
  rocksdb::Status Put(std::string_view key, std::string_view row);
  rocksdb::Status Delete(std::string_view key);
  // Syncs it.
  rocksdb::Status Finish();
  bool empty() const { return !begun_; }
  // What is to be given to WriteGate::Ingest.
  rocksdb::IngestExternalFileArg Argument() const;

 private:
  rocksdb::Status Begin();

  rocksdb::ColumnFamilyHandle* const family_;
  const std::string path_;
  const rocksdb::Options options_;
  rocksdb::SstFileWriter writer_;
  bool begun_ = false;
};

}  // namespace holdfast::storage
