// What a bad request is answered with, and what must be left behind: nothing.
#pragma once

#include <string>
#include <vector>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {

struct BadInput {
  std::string name;
  std::string bytes;  // what the client sends
  int status = 400;
  std::string code = "invalid_argument";
  std::vector<std::string> words = {};  // the detail names them: the field, the limit, the remedy
  bool closes = false;                  // the connection ends with the answer; else it serves the next request
};

// A request as a client writes it, with a Content-Length when there is a body. `headers` are whole lines with CRLF.
std::string RequestOf(const std::string& method, const std::string& target, const std::string& headers = "",
                      const std::string& body = "");

// Of a service with the stores main and other, on one backend, each with something in it, and small limits.
class BadInputTest : public ServiceTest {
 protected:
  void SetUp() override;

  // Each case by itself: the answer is a problem with status, code and words; the store is as it was, though behind the
  // request comes one that would write; and the connection goes on or ends as it should.
  void Check(const std::vector<BadInput>& cases);
  Service& service() { return *service_; }
  const std::string& lease() const { return lease_; }  // of the lock held

 private:
  void CheckOne(const BadInput& input);

  std::unique_ptr<Service> service_;
  std::string lease_;
  std::string before_;
};

}  // namespace holdfast
