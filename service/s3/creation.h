// An object where there is none yet: PUT with "If-None-Match: *" (RFC 9110 section 13.1.2; "Conditional writes" in the
// Amazon S3 user guide). Amazon S3 has it since August 2024 and so have others; some refuse it (Swift's s3api: 501),
// and some do not look at it and would replace what is there. Which of them a server is one that does not know it
// cannot say, so it is tried on an object that may be replaced.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/s3/caller.h"

namespace holdfast::s3 {

// PUT of a whole object, with a sum of its bytes. `headers`: what it is to have.
Call PutCall(const std::string& key, std::string_view bytes, http::Headers headers);

// Whether the server refuses to put an object where there is one, when asked so. Tried on `key`, an object of ours for
// nothing else, which is there afterwards. An error says nothing about it: the server refuses every PUT, or does not
// answer.
Result<bool> CanCreate(Caller& caller, const std::string& key, const http::Headers& headers, Deadline deadline);

// kAlreadyExists.
Error Taken();

// Of a server that can. Taken: there is one, and not by an attempt of this call whose answer was lost.
Status CreateObject(Caller& caller, const std::string& key, std::string_view bytes, const http::Headers& headers,
                    Deadline deadline);

// Who has put the object there, by a name that each CreateObject draws; empty: somebody else. nullopt: there is none.
Result<std::optional<std::string>> ReadWriter(Caller& caller, const std::string& key, Deadline deadline);

}  // namespace holdfast::s3
