// SPDX-License-Identifier: Apache-2.0
#include "datasets/fetch/download.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "engine/base/error.h"

namespace strata {

namespace {

constexpr long kConnectSeconds = 6;                    // until a mirror has answered
constexpr long kStallSeconds = 20, kStallBytes = 500;  // a download slower than this has died

struct Transfer {
  std::string bytes;
  std::uint64_t maxBytes = 0;
  const DownloadProgress* progress = nullptr;
  bool tooLarge = false, cancelled = false;
};

// curl is C: nothing may be thrown through these two.
std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t length = size * count;
  transfer.tooLarge = length > transfer.maxBytes - transfer.bytes.size();
  if (transfer.tooLarge) return 0;
  try {
    transfer.bytes.append(data, length);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return length;
}

int report(void* user, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) noexcept {
  auto& transfer = *static_cast<Transfer*>(user);
  try {
    transfer.cancelled = !(*transfer.progress)(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total));
  } catch (...) {
    transfer.cancelled = true;
  }
  return transfer.cancelled ? 1 : 0;
}

/// The certificates that other programs on this computer are told to trust.
const char* certificatesFromEnvironment() {
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return nullptr;
}

/// Why a transfer failed: curl's own words, and what helps where no certificate is trusted, as on a bare system.
std::string reasonOf(CURLcode code, const std::string& said) {
  const std::string why = said.empty() ? curl_easy_strerror(code) : said;
  const bool untrusted = code == CURLE_SSL_CACERT_BADFILE || code == CURLE_PEER_FAILED_VERIFICATION;
  return untrusted ? why + ", the package ca-certificates brings the usual ones" : why;
}

}  // namespace

std::string download(const std::string& url, std::uint64_t maxBytes, const DownloadProgress& progress) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw std::bad_alloc();
  Transfer transfer{{}, maxBytes, &progress};
  std::array<char, CURL_ERROR_SIZE> reason{};
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "https,http,file");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 5L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);  // this may run on any thread
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, kStallBytes);
  set(CURLOPT_USERAGENT, "strata");
  if (const char* certificates = certificatesFromEnvironment()) set(CURLOPT_CAINFO, certificates);
  set(CURLOPT_WRITEFUNCTION, &receive);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &report);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_ERRORBUFFER, reason.data());

  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.cancelled) throw Cancelled();
  if (transfer.tooLarge)
    throw Error(Error::Kind::File, "", "sent more than the " + std::to_string(maxBytes) + " bytes that were expected");
  if (code != CURLE_OK) throw Error(Error::Kind::File, "", reasonOf(code, reason.data()));
  return std::move(transfer.bytes);
}

std::string sha256Hex(std::span<const unsigned char> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace strata
