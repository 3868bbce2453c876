/*
 * What the simulated machine is like: its VBS, its TPM, its boots. Tests decide (control.c);
 * without a word from them it has neither VBS nor a TPM, as Wine.
 */

#include "simulated_ksp.h"

#include <string.h>

/* Values of the setting `Tpm`. */
enum tpm { TPM_ABSENT, TPM_READY, TPM_NOT_READY };

/* Values of the setting `DeadAt`: where it shows that a key didn't survive its boot. */
enum dead_at { DEAD_AT_SIGNATURE, DEAD_AT_OPENING };

static DWORD setting(const WCHAR *name, DWORD otherwise) {
  return read_setting(L"Settings", name, otherwise);
}

/* What keys in this storage fail with on this machine. */
SECURITY_STATUS storage_status(enum storage storage) {
  if (storage == SOFTWARE) return ERROR_SUCCESS;
  switch (setting(L"Tpm", TPM_ABSENT)) {
    case TPM_READY:
      return ERROR_SUCCESS;
    case TPM_NOT_READY:
      return NTE_DEVICE_NOT_READY;
    default:
      return NTE_DEVICE_NOT_FOUND;
  }
}

bool has_vbs(void) { return setting(L"Vbs", 0) != 0; }

/*
 * Nobody has documented what Windows says of a key that died with its boot, nor when. So both are
 * settings.
 */
static SECURITY_STATUS boot_status(const struct key_record *record, enum dead_at at) {
  if ((record->flags & USE_PER_BOOT_KEY) == 0 || record->boot == setting(L"Boot", 1)) {
    return ERROR_SUCCESS;
  }
  if (setting(L"DeadAt", DEAD_AT_SIGNATURE) != at) return ERROR_SUCCESS;
  return (SECURITY_STATUS) setting(L"DeadStatus", (DWORD) NTE_FAIL);
}

/* What opening this key fails with. */
SECURITY_STATUS open_status(const struct key_record *record) {
  return boot_status(record, DEAD_AT_OPENING);
}

/*
 * What a signature by this open key fails with. A key that was deleted or replaced since still
 * signs, as an open file of Unix can still be read; the documentation doesn't say.
 */
SECURITY_STATUS signing_status(const struct key *key) {
  SECURITY_STATUS status = boot_status(&key->record, DEAD_AT_SIGNATURE);
  if (status == ERROR_SUCCESS) status = boot_status(&key->record, DEAD_AT_OPENING);
  if (status != ERROR_SUCCESS || key->place.name[0] == 0) return status;
  struct key_record now;
  bool is_same = load_record(&key->place, &now) && now.private_size == key->record.private_size &&
                 memcmp(now.private_key, key->record.private_key, now.private_size) == 0;
  return is_same ? (SECURITY_STATUS) now.dead_status : ERROR_SUCCESS;
}

/* Whether a key still opens and signs. */
bool is_usable(const struct key_place *place, const struct key_record *record) {
  return record->dead_status == 0 && storage_status(place->storage) == ERROR_SUCCESS &&
         boot_status(record, DEAD_AT_OPENING) == ERROR_SUCCESS &&
         boot_status(record, DEAD_AT_SIGNATURE) == ERROR_SUCCESS;
}
