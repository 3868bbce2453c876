/*
 * Leads Wine's crypt32.dll from a certificate whose key is in CNG to the mirror of that key.
 *
 * This is Wine's need, too. Its SChannel first lets CryptAcquireCertificatePrivateKey open the
 * client's key, which is CryptAcquireContextW with whatever CERT_KEY_PROV_INFO says: a provider
 * type of 0, which means CNG on Windows, is an error there. So crypt32.dll's import of that
 * function is replaced in this process: what names one of our providers opens the mirror's CAPI
 * container.
 */

#include "simulated_ksp.h"

#include <string.h>
#include <wchar.h>
#include <wincrypt.h>

static BOOL WINAPI acquire_context(HCRYPTPROV *out, const WCHAR *container, const WCHAR *provider,
                                   DWORD type, DWORD flags) {
  bool is_ours = type == 0 && container != NULL && provider != NULL &&
                 (wcscmp(provider, MS_KEY_STORAGE_PROVIDER) == 0 ||
                  wcscmp(provider, MS_PLATFORM_CRYPTO_PROVIDER) == 0);
  if (!is_ours) return CryptAcquireContextW(out, container, provider, type, flags);
  // The mirror is the user's, also that of a key of the machine.
  return CryptAcquireContextW(out, container, MS_ENH_RSA_AES_PROV_W, PROV_RSA_AES,
                              flags & ~(DWORD) CRYPT_MACHINE_KEYSET);
}

/* The slot through which the module calls this function of that library; NULL if it doesn't. */
static ULONG_PTR *import_slot(BYTE *module, const char *library, const char *function) {
  const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *) module;
  const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *) (module + dos->e_lfanew);
  const IMAGE_DATA_DIRECTORY *directory =
      &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
  if (directory->VirtualAddress == 0) return NULL;
  const IMAGE_IMPORT_DESCRIPTOR *import =
      (const IMAGE_IMPORT_DESCRIPTOR *) (module + directory->VirtualAddress);
  for (; import->Name != 0; import++) {
    if (_stricmp((const char *) module + import->Name, library) != 0) continue;
    const ULONG_PTR *names = (const ULONG_PTR *) (module + import->OriginalFirstThunk);
    ULONG_PTR *slots = (ULONG_PTR *) (module + import->FirstThunk);
    for (size_t i = 0; names[i] != 0; i++) {
      if (IMAGE_SNAP_BY_ORDINAL(names[i])) continue;
      const IMAGE_IMPORT_BY_NAME *name = (const IMAGE_IMPORT_BY_NAME *) (module + names[i]);
      if (strcmp((const char *) name->Name, function) == 0) return &slots[i];
    }
  }
  return NULL;
}

/* Once a process; false where crypt32.dll isn't built as Wine's is. */
bool redirect_capi(void) {
  static bool is_done = false;
  if (is_done) return true;
  // Loaded for good: what it calls must stay ours.
  BYTE *crypt32 = (BYTE *) LoadLibraryW(L"crypt32.dll");
  if (crypt32 == NULL) return false;
  ULONG_PTR *slot = import_slot(crypt32, "advapi32.dll", "CryptAcquireContextW");
  if (slot == NULL) return false;
  DWORD protection;
  if (!VirtualProtect(slot, sizeof *slot, PAGE_READWRITE, &protection)) return false;
  *slot = (ULONG_PTR) acquire_context;
  VirtualProtect(slot, sizeof *slot, protection, &protection);
  is_done = true;
  return true;
}
