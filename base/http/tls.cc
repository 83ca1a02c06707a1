#include "base/http/tls.h"

#include "base/tls/pem.h"

namespace holdfast::http {

Status ApplyTls(const TlsMaterial& material, SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (!material.ca_pem.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto authorities, tls::ReadCertificates(material.ca_pem, "ca_pem"));
    HOLDFAST_RETURN_IF_ERROR(tls::TrustOnly(authorities, "ca_pem", context));
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  }
  if (material.client_certificate_pem.empty() != material.client_key_pem.empty()) {
    return Error(ErrorCode::kInvalidArgument, "client_certificate_pem and client_key_pem must be given together");
  }
  if (material.client_certificate_pem.empty()) return {};
  return tls::Present(material.client_certificate_pem, "client_certificate_pem", material.client_key_pem,
                      "client_key_pem", context);
}

Status CheckTls(const TlsMaterial& material) {
  const tls::Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  return ApplyTls(material, context.get());
}

}  // namespace holdfast::http
