// The certificate authority of a cluster through its years: what its Secret should hold, and the Secrets of servers.
// Pure but for the keys, which are random. Contents are the decoded data of a Secret, by file name.
//
// An authority is followed by the next one in steps, each of which leaves everybody able to talk to everybody: first
// the next one is trusted (ca.crt holds both), a day later it signs, and the former one is trusted until it ends.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"

namespace holdfast::certificates {

using Files = std::map<std::string, std::string>;

// In the authority's Secret.
inline constexpr char kTrusted[] = "ca.crt";     // every authority that is to be trusted; the one that signs first
inline constexpr char kSigningKey[] = "ca.key";  // of the first certificate in ca.crt
inline constexpr char kNext[] = "next.crt";      // the one that will sign; is in ca.crt as well
inline constexpr char kNextKey[] = "next.key";
// In a server's Secret, beside the same ca.crt.
inline constexpr char kServerCertificate[] = "tls.crt";
inline constexpr char kServerKey[] = "tls.key";

// Clocks of a cluster differ; what has just been made is valid everywhere.
inline constexpr std::chrono::hours kBackdated{1};
inline constexpr std::chrono::hours kAuthorityLife{10 * 365 * 24};
inline constexpr std::chrono::hours kAuthorityRenewal{365 * 24};  // before its end the next one is made
inline constexpr std::chrono::hours kTrustedBeforeSigning{24};    // kubelets take a minute, people restart by hand
inline constexpr std::chrono::hours kServerLife{365 * 24};
inline constexpr std::chrono::hours kServerRenewal{60 * 24};

// What the Secret should hold, when that is not what it holds. `present` empty = there is none. kFailedPrecondition
// when there is something in it that is no authority: nothing is overwritten that could be somebody's.
Result<std::optional<Files>> NextAuthority(const Files& present, const std::string& common_name, Timestamp now);

// The same for a server's Secret. Issued anew when it is missing or broken, has other names, ends soon, or when its
// authority no longer signs; ca.crt follows at once.
Result<std::optional<Files>> NextServer(const Files& present, const Files& authority,
                                        const std::vector<std::string>& names, Timestamp now);

}  // namespace holdfast::certificates
