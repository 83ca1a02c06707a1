// Serves the requests of one connection, one after the other, until it is closed.
#pragma once

#include "base/http/connection.h"
#include "base/http/http_listener.h"

namespace holdfast::http {

// Returns when the connection is done with, for whatever reason.
void ServeConnection(Connection& connection, const ListenerOptions& options, const ListenerHandler& handler);

}  // namespace holdfast::http
