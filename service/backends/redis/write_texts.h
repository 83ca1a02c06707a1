// The Lua of the scripts that write (scripts.h): kCommonText, kStepText, and one of the others.
#pragma once

namespace holdfast::storage::redis_backend {

// Of every script: names of the keys, numbers as the rows hold them, a row taken apart.
extern const char* const kCommonText;
// How each step that writes begins, logs and ends. Arguments: 1 clock, 2 instance, 3 joins and 4 position as they were
// when it was alone, or empty, 5 length of the stream, 6 cause, 7 what, 8 "1" when it takes a lock, 9 number of keys.
extern const char* const kStepText;
// Any operations. The arguments go on with the keys; of a transaction: the number of conditions, the conditions, the
// number of words of `then`; then the operations. Each operation and condition is its head and what that calls for. Six
// bytes of a head: a letter each for kind (c = condition), precondition and expiry, the place of the key in three
// bytes. Behind it, where the letter is a capital: the precondition's argument, the expiry's, and what is put
// (attributes with their length, value) or added to it (the summand).
extern const char* const kWriteText;
// Puts of different keys without precondition and expiry. The arguments go on with the formats of the rows, a letter
// each, the rows' names, and what is put, as above.
extern const char* const kPutText;

}  // namespace holdfast::storage::redis_backend
