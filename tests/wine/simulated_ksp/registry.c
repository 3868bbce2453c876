/*
 * What outlives a process: keys and settings, in the registry.
 *
 * Keys are values named after them, which makes their names as insensitive to case as CNG's.
 */

#include "simulated_ksp.h"

#include <stddef.h>
#include <wchar.h>

#define ROOT L"Software\\Keybound Simulated KSP"
#define FOLDERS 4

/* By storage and scope. */
static const WCHAR *const folders[FOLDERS] = {
    ROOT L"\\Keys\\Software of user",
    ROOT L"\\Keys\\Software of machine",
    ROOT L"\\Keys\\Platform of user",
    ROOT L"\\Keys\\Platform of machine",
};

static HANDLE mutex;

static const WCHAR *folder_of(const struct key_place *place) {
  return folders[place->storage * 2 + place->of_machine];
}

/* Keeps other processes from changing keys, so that a key and its mirror change as one. */
void lock_registry(void) {
  if (mutex == NULL) mutex = CreateMutexW(NULL, FALSE, L"Local\\Keybound Simulated KSP");
  WaitForSingleObject(mutex, INFINITE);
}

void unlock_registry(void) { ReleaseMutex(mutex); }

/* Whether the bytes that were read are a record: an older double wrote others. */
static bool is_whole(const struct key_record *record, DWORD size) {
  return size >= offsetof(struct key_record, private_key) && record->private_size <= MAX_PRIVATE &&
         size == offsetof(struct key_record, private_key) + record->private_size;
}

bool load_record(const struct key_place *place, struct key_record *record) {
  DWORD size = sizeof *record;
  LSTATUS status = RegGetValueW(HKEY_CURRENT_USER, folder_of(place), place->name, RRF_RT_REG_BINARY,
                                NULL, record, &size);
  return status == ERROR_SUCCESS && is_whole(record, size);
}

bool save_record(const struct key_place *place, const struct key_record *record) {
  DWORD size = (DWORD) offsetof(struct key_record, private_key) + record->private_size;
  return RegSetKeyValueW(HKEY_CURRENT_USER, folder_of(place), place->name, REG_BINARY, record,
                         size) == ERROR_SUCCESS;
}

void delete_record(const struct key_place *place) {
  RegDeleteKeyValueW(HKEY_CURRENT_USER, folder_of(place), place->name);
}

static DWORD for_each_record_of(enum storage storage, bool of_machine, each_record *work,
                                void *context) {
  struct key_place place = {.storage = storage, .of_machine = of_machine};
  HKEY folder;
  if (RegOpenKeyExW(HKEY_CURRENT_USER, folder_of(&place), 0, KEY_READ, &folder)) return 0;
  DWORD count = 0;
  for (;; count++) {
    struct key_record record;
    DWORD name_length = MAX_NAME, size = sizeof record;
    LSTATUS status = RegEnumValueW(folder, count, place.name, &name_length, NULL, NULL,
                                   (BYTE *) &record, &size);
    if (status != ERROR_SUCCESS) break;
    if (work != NULL && is_whole(&record, size)) work(&place, &record, context);
  }
  RegCloseKey(folder);
  return count;
}

/* Works on every key that there is, if there is work, and counts them. No key may go meanwhile. */
DWORD for_each_record(each_record *work, void *context) {
  DWORD count = 0;
  for (int storage = SOFTWARE; storage <= PLATFORM; storage++) {
    count += for_each_record_of(storage, false, work, context);
    count += for_each_record_of(storage, true, work, context);
  }
  return count;
}

static void section_path(WCHAR *path, size_t capacity, const WCHAR *section) {
  swprintf(path, capacity, ROOT L"\\%ls", section);
}

/* A number that a test has set. */
DWORD read_setting(const WCHAR *section, const WCHAR *name, DWORD otherwise) {
  WCHAR path[128];
  section_path(path, ARRAYSIZE(path), section);
  DWORD value, size = sizeof value;
  LSTATUS status =
      RegGetValueW(HKEY_CURRENT_USER, path, name, RRF_RT_REG_DWORD, NULL, &value, &size);
  return status == ERROR_SUCCESS ? value : otherwise;
}

bool write_setting(const WCHAR *section, const WCHAR *name, DWORD value) {
  WCHAR path[128];
  section_path(path, ARRAYSIZE(path), section);
  return RegSetKeyValueW(HKEY_CURRENT_USER, path, name, REG_DWORD, &value, sizeof value) ==
         ERROR_SUCCESS;
}

/* Keys and settings. */
void delete_everything(void) { RegDeleteTreeW(HKEY_CURRENT_USER, ROOT); }
