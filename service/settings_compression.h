// The rows compression, compression_level and compression_threshold of a backend, whose values they are said of alike.
#pragma once

#include <string>
#include <vector>

#include "base/config/settings.h"
#include "service/compression/codec.h"

namespace holdfast::service {

// Of the backend of this name; `automatic` is what `auto` is for its type. A level that the codec has not is added to
// `problems`.
compression::Options CompressionOf(const config::Settings& settings, const std::string& name,
                                   compression::Codec automatic, std::vector<config::Problem>* problems);

}  // namespace holdfast::service
