// A ResponseWriter of a request within the process: it takes a document as it is, without text in between.
#pragma once

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

class JsonReceiver {
 public:
  virtual ~JsonReceiver() = default;
  // Instead of ResponseWriter::Send.
  virtual void SendJson(int status, Json body) = 0;
};

}  // namespace holdfast::local
