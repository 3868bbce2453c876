/*
 * Key storage providers, and the end of handles.
 */

#include "simulated_ksp.h"

#include <wchar.h>

static SECURITY_STATUS open_provider(NCRYPT_PROV_HANDLE *out, const WCHAR *name, DWORD flags) {
  if (out == NULL) return NTE_INVALID_PARAMETER;
  *out = 0;
  // Whoever uses a key comes by here first.
  if (!redirect_capi()) return NTE_PROVIDER_DLL_FAIL;
  if ((flags & ~NCRYPT_SILENT_FLAG) != 0) return NTE_BAD_FLAGS;
  struct provider provider;
  // "If this parameter is NULL, the default key storage provider is loaded."
  if (name == NULL || wcscmp(name, MS_KEY_STORAGE_PROVIDER) == 0) {
    provider.storage = SOFTWARE;
  } else if (wcscmp(name, MS_PLATFORM_CRYPTO_PROVIDER) == 0) {
    // The provider is there without a TPM, too: its keys aren't.
    provider.storage = PLATFORM;
  } else {
    // The documentation doesn't say which status this is.
    return NTE_NOT_SUPPORTED;
  }
  return open_handle(PROVIDER_HANDLE, &provider, sizeof provider, out);
}

SECURITY_STATUS WINAPI NCryptOpenStorageProvider(NCRYPT_PROV_HANDLE *phProvider,
                                                 LPCWSTR pszProviderName, DWORD dwFlags) {
  SECURITY_STATUS status = begin(L"NCryptOpenStorageProvider");
  if (status == ERROR_SUCCESS) status = open_provider(phProvider, pszProviderName, dwFlags);
  return end(status);
}

/* No test makes this one fail: handles that can't be given back are lost by definition. */
SECURITY_STATUS WINAPI NCryptFreeObject(NCRYPT_HANDLE hObject) {
  begin(NULL);
  return end(close_handle(hObject) ? ERROR_SUCCESS : NTE_INVALID_HANDLE);
}
