/*
 * What tests do to the machine. These functions are the double's own; no program but a test knows
 * them.
 */

#include "simulated_ksp.h"

#include <wchar.h>

/* How many handles of this process are open. */
DWORD WINAPI SimulatedKspLiveHandles(void) {
  begin(NULL);
  DWORD count = count_handles();
  end(ERROR_SUCCESS);
  return count;
}

/* How many keys there are. */
DWORD WINAPI SimulatedKspCountKeys(void) {
  begin(NULL);
  DWORD count = for_each_record(NULL, NULL);
  end(ERROR_SUCCESS);
  return count;
}

static void mirror_anew(const struct key_place *place, struct key_record *record, void *context) {
  (void) context;
  mirror_key(place, record);
}

/*
 * What the machine is like: `Vbs` (1: has it), `Tpm` (1: ready, 2: not ready), `TpmPss` (0: makes
 * no PSS signatures), `DeadStatus` and `DeadAt` (0: signature, 1: opening) of keys of another boot.
 */
BOOL WINAPI SimulatedKspSet(const WCHAR *name, DWORD value) {
  begin(NULL);
  lock_registry();
  bool is_set = write_setting(L"Settings", name, value);
  for_each_record(mirror_anew, NULL);
  unlock_registry();
  end(ERROR_SUCCESS);
  return is_set;
}

/*
 * From now on the function of this name gives the status instead of working; 0 ends that. Wine's
 * SChannel calls none of them.
 */
BOOL WINAPI SimulatedKspFail(const WCHAR *function, DWORD status) {
  begin(NULL);
  bool is_set = write_setting(L"Faults", function, status);
  end(ERROR_SUCCESS);
  return is_set;
}

/* Which keys a test kills, how, and whether there were any. */
struct doom {
  const WCHAR *name;
  DWORD status;
  bool was_found;
};

static void kill_key(const struct key_place *place, struct key_record *record, void *context) {
  struct doom *doom = context;
  if (_wcsicmp(place->name, doom->name) != 0) return;
  record->dead_status = doom->status;
  doom->was_found = save_record(place, record);
  mirror_key(place, record);
}

/* The keys of this name are there and sign no more: a signature gives the status; 0 revives. */
BOOL WINAPI SimulatedKspKill(const WCHAR *name, DWORD status) {
  struct doom doom = {name, status, false};
  begin(NULL);
  lock_registry();
  for_each_record(kill_key, &doom);
  unlock_registry();
  end(ERROR_SUCCESS);
  return doom.was_found;
}

/* Starts the machine anew: keys of the last boot that were made for it alone are dead. */
BOOL WINAPI SimulatedKspReboot(void) {
  begin(NULL);
  lock_registry();
  bool is_set = write_setting(L"Settings", L"Boot", read_setting(L"Settings", L"Boot", 1) + 1);
  for_each_record(mirror_anew, NULL);
  unlock_registry();
  end(ERROR_SUCCESS);
  return is_set;
}

static void forget_mirror(const struct key_place *place, struct key_record *record, void *context) {
  (void) record;
  (void) context;
  remove_mirror(place);
}

/* A new machine: without keys and settings. */
BOOL WINAPI SimulatedKspReset(void) {
  begin(NULL);
  lock_registry();
  for_each_record(forget_mirror, NULL);
  delete_everything();
  unlock_registry();
  end(ERROR_SUCCESS);
  return TRUE;
}
