/*
 * What a finished key is for: its public half and its signatures.
 */

#include "simulated_ksp.h"

#include <wchar.h>

static bool is_one_of(const WCHAR *text, const WCHAR *const *texts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (wcscmp(text, texts[i]) == 0) return true;
  }
  return false;
}

static SECURITY_STATUS export_public(NCRYPT_KEY_HANDLE handle, NCRYPT_KEY_HANDLE wrapping,
                                     const WCHAR *type, const NCryptBufferDesc *parameters,
                                     BYTE *out, DWORD capacity, DWORD *result, DWORD flags) {
  static const WCHAR *const private_types[] = {
      BCRYPT_RSAPRIVATE_BLOB, BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_ECCPRIVATE_BLOB,
      BCRYPT_PRIVATE_KEY_BLOB, NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
  };
  const struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if (type == NULL || result == NULL) return NTE_INVALID_PARAMETER;
  if ((flags & ~(DWORD) NCRYPT_SILENT_FLAG) != 0) return NTE_BAD_FLAGS;
  if (!key->is_finalized) return NTE_BAD_KEY_STATE;
  if (wrapping != 0 || parameters != NULL) return NTE_NOT_SUPPORTED;

  const WCHAR *public_type = is_rsa(&key->record) ? BCRYPT_RSAPUBLIC_BLOB : BCRYPT_ECCPUBLIC_BLOB;
  if (wcscmp(type, public_type) != 0) {
    // No private key leaves this library, whatever its policy: no program of ours asks for one.
    bool is_private = is_one_of(type, private_types, ARRAYSIZE(private_types));
    return is_private ? NTE_NOT_SUPPORTED : NTE_BAD_TYPE;
  }
  // Wine's bcrypt.dll doesn't look how much room there is.
  BYTE blob[MAX_PRIVATE];
  DWORD size;
  SECURITY_STATUS status = export_key(&key->record, type, blob, &size);
  return status == ERROR_SUCCESS ? give(blob, size, out, capacity, result) : status;
}

/* The length of this algorithm's hashes; 0 for one that isn't known. */
static DWORD hash_size_of(const WCHAR *algorithm) {
  static const struct {
    const WCHAR *name;
    DWORD size;
  } algorithms[] = {
      {BCRYPT_SHA256_ALGORITHM, 32},
      {BCRYPT_SHA384_ALGORITHM, 48},
      {BCRYPT_SHA512_ALGORITHM, 64},
  };
  for (size_t i = 0; algorithm != NULL && i < ARRAYSIZE(algorithms); i++) {
    if (wcscmp(algorithm, algorithms[i].name) == 0) return algorithms[i].size;
  }
  return 0;
}

/* What a TPM doesn't do: all but SHA-256, and PSS where a test says so. */
static bool is_beyond_storage(const struct key *key, DWORD mode, DWORD hash_size) {
  if (key->place.storage != PLATFORM) return false;
  bool has_pss = read_setting(L"Settings", L"TpmPss", 1) != 0;
  return hash_size != 32 || (mode == BCRYPT_PAD_PSS && !has_pss);
}

/* Whether padding, flags and hash go together, and with the key. */
static SECURITY_STATUS check_padding(const struct key *key, const void *padding, DWORD mode,
                                     DWORD hash_size) {
  if (!is_rsa(&key->record)) {
    if (mode != 0) return NTE_BAD_FLAGS;
    return padding == NULL && hash_size > 0 ? ERROR_SUCCESS : NTE_INVALID_PARAMETER;
  }
  if (mode != BCRYPT_PAD_PKCS1 && mode != BCRYPT_PAD_PSS) return NTE_BAD_FLAGS;
  if (padding == NULL) return NTE_INVALID_PARAMETER;
  // Both structs begin with the name of the hash.
  const BCRYPT_PKCS1_PADDING_INFO *info = padding;
  return hash_size_of(info->pszAlgId) == hash_size ? ERROR_SUCCESS : NTE_INVALID_PARAMETER;
}

static SECURITY_STATUS sign(NCRYPT_KEY_HANDLE handle, void *padding, BYTE *hash, DWORD hash_size,
                            BYTE *out, DWORD capacity, DWORD *result, DWORD flags) {
  const struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if (hash == NULL || result == NULL) return NTE_INVALID_PARAMETER;
  DWORD mode = flags & (BCRYPT_PAD_PKCS1 | BCRYPT_PAD_PSS);
  if ((flags & ~(mode | NCRYPT_SILENT_FLAG)) != 0) return NTE_BAD_FLAGS;
  if (!key->is_finalized) return NTE_BAD_KEY_STATE;

  SECURITY_STATUS status = check_padding(key, padding, mode, hash_size);
  if (status == ERROR_SUCCESS) status = signing_status(key);
  if (status != ERROR_SUCCESS) return status;
  // The documentation doesn't say which status a key gives that isn't for signatures.
  if ((key->record.usage & NCRYPT_ALLOW_SIGNING_FLAG) == 0) return NTE_PERM;
  if (is_beyond_storage(key, mode, hash_size)) return NTE_NOT_SUPPORTED;

  DWORD size = key->record.bits / 8 * (is_rsa(&key->record) ? 1 : 2);
  *result = size;
  if (out == NULL) return ERROR_SUCCESS;
  if (capacity < size) return NTE_BUFFER_TOO_SMALL;
  return sign_hash(&key->record, padding, mode, hash, hash_size, out, capacity, result);
}

SECURITY_STATUS WINAPI NCryptExportKey(NCRYPT_KEY_HANDLE hKey, NCRYPT_KEY_HANDLE hExportKey,
                                       LPCWSTR pszBlobType, NCryptBufferDesc *pParameterList,
                                       PBYTE pbOutput, DWORD cbOutput, DWORD *pcbResult,
                                       DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptExportKey");
  if (status == ERROR_SUCCESS) {
    status = export_public(hKey, hExportKey, pszBlobType, pParameterList, pbOutput, cbOutput,
                           pcbResult, dwFlags);
  }
  return end(status);
}

SECURITY_STATUS WINAPI NCryptSignHash(NCRYPT_KEY_HANDLE hKey, VOID *pPaddingInfo, PBYTE pbHashValue,
                                      DWORD cbHashValue, PBYTE pbSignature, DWORD cbSignature,
                                      DWORD *pcbResult, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptSignHash");
  if (status == ERROR_SUCCESS) {
    status = sign(hKey, pPaddingInfo, pbHashValue, cbHashValue, pbSignature, cbSignature, pcbResult,
                  dwFlags);
  }
  return end(status);
}
