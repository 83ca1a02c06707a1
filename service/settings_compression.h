// The rows compression, compression_level and compression_threshold of a backend, whose values they are said of alike.
#pragma once

#include <string>
#include <vector>

#include "base/config/settings.h"
#include "service/compression/codec.h"
#include "service/migrations/value_storage.h"

namespace holdfast::service {

// Of the backend of this name; `automatic` is what `auto` is for its type. A codec that only others have and a level
// that the codec has not are added to `problems`.
compression::Options CompressionOf(const config::Settings& settings, const std::string& name,
                                   compression::Codec automatic, std::vector<config::Problem>* problems);

// Of the backend of this name, of type postgres; what PostgreSQL has not is added to `problems`.
migrations::ValueStorage ValueStorageOf(const config::Settings& settings, const std::string& name,
                                        std::vector<config::Problem>* problems);

}  // namespace holdfast::service
