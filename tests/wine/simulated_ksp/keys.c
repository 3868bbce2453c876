/*
 * Keys: made, opened, finished, deleted.
 */

#include "simulated_ksp.h"

#include <string.h>
#include <wchar.h>

#define CREATION_FLAGS                                                              \
  (NCRYPT_MACHINE_KEY_FLAG | NCRYPT_OVERWRITE_KEY_FLAG | USE_VIRTUAL_ISOLATION | \
   USE_PER_BOOT_KEY)

/* Of NCryptCreatePersistedKey and NCryptOpenKey: AT_KEYEXCHANGE, AT_SIGNATURE or none. */
static bool is_key_spec(DWORD spec) { return spec <= AT_SIGNATURE; }

/* The place of a key of this name; false where no key can have it. */
static bool place_of(const struct provider *provider, const WCHAR *name, DWORD flags,
                     struct key_place *place) {
  place->storage = provider->storage;
  place->of_machine = (flags & NCRYPT_MACHINE_KEY_FLAG) != 0;
  if (name == NULL) return true;
  size_t length = wcslen(name);
  if (length == 0 || length >= MAX_NAME) return false;
  wmemcpy(place->name, name, length + 1);
  return true;
}

static SECURITY_STATUS create_key(NCRYPT_PROV_HANDLE storage, NCRYPT_KEY_HANDLE *out,
                                  const WCHAR *algorithm, const WCHAR *name, DWORD spec,
                                  DWORD flags) {
  const struct provider *provider = find_handle(PROVIDER_HANDLE, storage);
  if (provider == NULL) return NTE_INVALID_HANDLE;
  if (out == NULL || algorithm == NULL || !is_key_spec(spec)) return NTE_INVALID_PARAMETER;
  if ((flags & ~(DWORD) CREATION_FLAGS) != 0) return NTE_BAD_FLAGS;
  SECURITY_STATUS status = storage_status(provider->storage);
  if (status != ERROR_SUCCESS) return status;

  struct key key = {.record.flags = flags};
  if (!place_of(provider, name, flags, &key.place)) return NTE_INVALID_PARAMETER;
  bool is_ecdsa = wcscmp(algorithm, BCRYPT_ECDSA_P256_ALGORITHM) == 0;
  if (!is_ecdsa && wcscmp(algorithm, BCRYPT_RSA_ALGORITHM) != 0) return NTE_NOT_SUPPORTED;
  wcscpy(key.record.algorithm, algorithm);
  key.record.bits = is_ecdsa ? 256 : 2048;
  key.record.usage = NCRYPT_ALLOW_ALL_USAGES;

  struct key_record other;
  bool exists = name != NULL && load_record(&key.place, &other);
  if (exists && (flags & NCRYPT_OVERWRITE_KEY_FLAG) == 0) return NTE_EXISTS;
  return open_handle(KEY_HANDLE, &key, sizeof key, out);
}

static SECURITY_STATUS open_key(NCRYPT_PROV_HANDLE storage, NCRYPT_KEY_HANDLE *out,
                                const WCHAR *name, DWORD spec, DWORD flags) {
  const struct provider *provider = find_handle(PROVIDER_HANDLE, storage);
  if (provider == NULL) return NTE_INVALID_HANDLE;
  if (out == NULL || name == NULL || !is_key_spec(spec)) return NTE_INVALID_PARAMETER;
  if ((flags & ~(DWORD) (NCRYPT_MACHINE_KEY_FLAG | NCRYPT_SILENT_FLAG)) != 0) return NTE_BAD_FLAGS;
  SECURITY_STATUS status = storage_status(provider->storage);
  if (status != ERROR_SUCCESS) return status;

  struct key key = {.is_finalized = true};
  if (!place_of(provider, name, flags, &key.place)) return NTE_INVALID_PARAMETER;
  if (!load_record(&key.place, &key.record)) return NTE_BAD_KEYSET;
  status = open_status(&key.record);
  return status == ERROR_SUCCESS ? open_handle(KEY_HANDLE, &key, sizeof key, out) : status;
}

/* Keeps a new key, in place of any that is there. */
static SECURITY_STATUS keep_key(const struct key *key) {
  lock_registry();
  struct key_record other;
  bool may_replace = (key->record.flags & NCRYPT_OVERWRITE_KEY_FLAG) != 0;
  SECURITY_STATUS status = NTE_EXISTS;
  if (may_replace || !load_record(&key->place, &other)) {
    status = save_record(&key->place, &key->record) ? ERROR_SUCCESS : NTE_FAIL;
    if (status == ERROR_SUCCESS) mirror_key(&key->place, &key->record);
  }
  unlock_registry();
  return status;
}

static SECURITY_STATUS finalize_key(NCRYPT_KEY_HANDLE handle, DWORD flags) {
  struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if ((flags & ~(DWORD) (NCRYPT_NO_KEY_VALIDATION | NCRYPT_SILENT_FLAG)) != 0) return NTE_BAD_FLAGS;
  if (key->is_finalized) return NTE_BAD_KEY_STATE;
  // Here, and not where the key is created: that is what the reference's comments say.
  if ((key->record.flags & USE_VIRTUAL_ISOLATION) != 0 && !has_vbs()) return VBS_UNAVAILABLE;
  if (key->place.storage == PLATFORM && key->record.bits > 2048) return NTE_NOT_SUPPORTED;

  key->record.boot = read_setting(L"Settings", L"Boot", 1);
  SECURITY_STATUS status = generate_key(&key->record);
  if (status == ERROR_SUCCESS && key->place.name[0] != 0) status = keep_key(key);
  key->is_finalized = status == ERROR_SUCCESS;
  return status;
}

static SECURITY_STATUS delete_key(NCRYPT_KEY_HANDLE handle, DWORD flags) {
  const struct key *key = find_handle(KEY_HANDLE, handle);
  if (key == NULL) return NTE_INVALID_HANDLE;
  if ((flags & ~(DWORD) NCRYPT_SILENT_FLAG) != 0) return NTE_BAD_FLAGS;
  if (key->is_finalized && key->place.name[0] != 0) {
    lock_registry();
    delete_record(&key->place);
    remove_mirror(&key->place);
    unlock_registry();
  }
  // "The NCryptDeleteKey function frees the handle."
  close_handle(handle);
  return ERROR_SUCCESS;
}

SECURITY_STATUS WINAPI NCryptCreatePersistedKey(NCRYPT_PROV_HANDLE hProvider,
                                                NCRYPT_KEY_HANDLE *phKey, LPCWSTR pszAlgId,
                                                LPCWSTR pszKeyName, DWORD dwLegacyKeySpec,
                                                DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptCreatePersistedKey");
  if (status == ERROR_SUCCESS) {
    status = create_key(hProvider, phKey, pszAlgId, pszKeyName, dwLegacyKeySpec, dwFlags);
  }
  return end(status);
}

SECURITY_STATUS WINAPI NCryptOpenKey(NCRYPT_PROV_HANDLE hProvider, NCRYPT_KEY_HANDLE *phKey,
                                     LPCWSTR pszKeyName, DWORD dwLegacyKeySpec, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptOpenKey");
  if (status == ERROR_SUCCESS) {
    status = open_key(hProvider, phKey, pszKeyName, dwLegacyKeySpec, dwFlags);
  }
  return end(status);
}

SECURITY_STATUS WINAPI NCryptFinalizeKey(NCRYPT_KEY_HANDLE hKey, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptFinalizeKey");
  return end(status == ERROR_SUCCESS ? finalize_key(hKey, dwFlags) : status);
}

SECURITY_STATUS WINAPI NCryptDeleteKey(NCRYPT_KEY_HANDLE hKey, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptDeleteKey");
  return end(status == ERROR_SUCCESS ? delete_key(hKey, dwFlags) : status);
}
