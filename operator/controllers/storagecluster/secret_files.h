// The data of a Secret as texts, and back.
#pragma once

#include "operator/certificates/authority.h"
#include "operator/kube/object.h"

namespace holdfast::storagecluster {

// What cannot be decoded counts as empty: it is no password and no certificate. Null: nothing.
certificates::Files DecodedFiles(const kube::Json* secret);
kube::Json EncodedFiles(const certificates::Files& files);

}  // namespace holdfast::storagecluster
