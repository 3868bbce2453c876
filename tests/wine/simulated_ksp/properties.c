/*
 * Properties of keys: those that NCrypt programs ask for or set before a key is finished.
 */

#include "simulated_ksp.h"

#include <string.h>
#include <wchar.h>

#define VIRTUAL_ISOLATION_PROPERTY L"Virtual Iso"

static bool is_named(const WCHAR *name, const WCHAR *property) {
  return wcscmp(name, property) == 0;
}

/* Whether the storage makes RSA keys of this length. */
static bool is_length(const struct key *key, DWORD bits) {
  DWORD most = key->place.storage == PLATFORM ? 2048 : 4096;
  return is_rsa(&key->record) && bits >= 1024 && bits <= most && bits % 64 == 0;
}

static SECURITY_STATUS set_property(NCRYPT_HANDLE handle, const WCHAR *name, const BYTE *input,
                                    DWORD size, DWORD flags) {
  struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if (name == NULL || input == NULL) return NTE_INVALID_PARAMETER;
  DWORD known = NCRYPT_PERSIST_FLAG | NCRYPT_PERSIST_ONLY_FLAG | NCRYPT_SILENT_FLAG;
  if ((flags & ~known) != 0) return NTE_BAD_FLAGS;

  DWORD *target;
  if (is_named(name, NCRYPT_LENGTH_PROPERTY)) {
    target = &key->record.bits;
  } else if (is_named(name, NCRYPT_EXPORT_POLICY_PROPERTY)) {
    target = &key->record.export_policy;
  } else if (is_named(name, NCRYPT_KEY_USAGE_PROPERTY)) {
    target = &key->record.usage;
  } else {
    return NTE_NOT_SUPPORTED;
  }
  DWORD value;
  if (size != sizeof value) return NTE_INVALID_PARAMETER;
  memcpy(&value, input, sizeof value);
  // Each of the three can be set until the key is finished, says its documentation.
  if (key->is_finalized) return NTE_BAD_KEY_STATE;
  if (target == &key->record.bits && !is_length(key, value)) return NTE_NOT_SUPPORTED;
  *target = value;
  return ERROR_SUCCESS;
}

/* Hands a value out, or its size alone where nobody gave room for it. */
SECURITY_STATUS give(const void *value, size_t size, BYTE *out, DWORD capacity, DWORD *result) {
  *result = (DWORD) size;
  if (out == NULL) return ERROR_SUCCESS;
  if (capacity < size) return NTE_BUFFER_TOO_SMALL;
  memcpy(out, value, size);
  return ERROR_SUCCESS;
}

static SECURITY_STATUS give_text(const WCHAR *text, BYTE *out, DWORD capacity, DWORD *result) {
  return give(text, (wcslen(text) + 1) * sizeof *text, out, capacity, result);
}

static SECURITY_STATUS get_property(NCRYPT_HANDLE handle, const WCHAR *name, BYTE *out,
                                    DWORD capacity, DWORD *result, DWORD flags) {
  const struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if (name == NULL || result == NULL) return NTE_INVALID_PARAMETER;
  if ((flags & ~(DWORD) (NCRYPT_PERSIST_ONLY_FLAG | NCRYPT_SILENT_FLAG)) != 0) return NTE_BAD_FLAGS;

  const struct key_record *record = &key->record;
  const struct {
    const WCHAR *name;
    DWORD value;
  } numbers[] = {
      {NCRYPT_LENGTH_PROPERTY, record->bits},
      {NCRYPT_EXPORT_POLICY_PROPERTY, record->export_policy},
      {NCRYPT_KEY_USAGE_PROPERTY, record->usage},
      {NCRYPT_KEY_TYPE_PROPERTY, record->flags & NCRYPT_MACHINE_KEY_FLAG},
  };
  for (size_t i = 0; i < ARRAYSIZE(numbers); i++) {
    if (!is_named(name, numbers[i].name)) continue;
    return give(&numbers[i].value, sizeof numbers[i].value, out, capacity, result);
  }
  if (is_named(name, NCRYPT_ALGORITHM_PROPERTY)) {
    return give_text(record->algorithm, out, capacity, result);
  }
  if (is_named(name, NCRYPT_ALGORITHM_GROUP_PROPERTY)) {
    return give_text(is_rsa(record) ? L"RSA" : L"ECDSA", out, capacity, result);
  }
  // The unique name is that of a file on Windows.
  bool is_name =
      is_named(name, NCRYPT_NAME_PROPERTY) || is_named(name, NCRYPT_UNIQUE_NAME_PROPERTY);
  if (is_name && key->place.name[0] != 0) return give_text(key->place.name, out, capacity, result);
  bool is_isolated = key->is_finalized && (record->flags & USE_VIRTUAL_ISOLATION) != 0;
  if (is_named(name, VIRTUAL_ISOLATION_PROPERTY) && is_isolated) {
    const DWORD yes = 1;
    return give(&yes, sizeof yes, out, capacity, result);
  }
  return NTE_NOT_SUPPORTED;
}

SECURITY_STATUS WINAPI NCryptSetProperty(NCRYPT_HANDLE hObject, LPCWSTR pszProperty, PBYTE pbInput,
                                         DWORD cbInput, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptSetProperty");
  if (status == ERROR_SUCCESS) {
    status = set_property(hObject, pszProperty, pbInput, cbInput, dwFlags);
  }
  return end(status);
}

SECURITY_STATUS WINAPI NCryptGetProperty(NCRYPT_HANDLE hObject, LPCWSTR pszProperty,
                                         PBYTE pbOutput, DWORD cbOutput, DWORD *pcbResult,
                                         DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptGetProperty");
  if (status == ERROR_SUCCESS) {
    status = get_property(hObject, pszProperty, pbOutput, cbOutput, pcbResult, dwFlags);
  }
  return end(status);
}
