/*
 * Handles, and the lock around all that a process does.
 *
 * A handle is a number that was never given before, so that one used after its end is found out
 * (NTE_INVALID_HANDLE) and is never another object's.
 */

#include "simulated_ksp.h"

#include <stdlib.h>
#include <string.h>

/* A program that has more open has lost some. */
#define SLOTS 1024

struct slot {
  enum handle_kind kind;
  /* How often the slot was taken. */
  DWORD generation;
  void *object;
};

static CRITICAL_SECTION lock;
static struct slot slots[SLOTS];

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, LPVOID reserved) {
  (void) reserved;
  if (reason == DLL_PROCESS_ATTACH) {
    DisableThreadLibraryCalls(module);
    InitializeCriticalSection(&lock);
  }
  return TRUE;
}

/*
 * Takes the lock; gives the status that a test wants of this function instead of its work. NULL
 * stands for a function that never fails so.
 */
SECURITY_STATUS begin(const WCHAR *function) {
  EnterCriticalSection(&lock);
  if (function == NULL) return ERROR_SUCCESS;
  return (SECURITY_STATUS) read_setting(L"Faults", function, ERROR_SUCCESS);
}

/* Gives the lock back and the status on. */
SECURITY_STATUS end(SECURITY_STATUS status) {
  LeaveCriticalSection(&lock);
  return status;
}

static ULONG_PTR handle_of(size_t index) {
  return (ULONG_PTR) slots[index].generation << 16 | (index + 1);
}

/* A handle of a copy of the object. */
SECURITY_STATUS open_handle(enum handle_kind kind, const void *object, size_t size,
                            ULONG_PTR *handle) {
  for (size_t index = 0; index < SLOTS; index++) {
    if (slots[index].kind != FREE_SLOT) continue;
    void *copy = malloc(size);
    if (copy == NULL) return NTE_NO_MEMORY;
    memcpy(copy, object, size);
    slots[index].kind = kind;
    slots[index].generation++;
    slots[index].object = copy;
    *handle = handle_of(index);
    return ERROR_SUCCESS;
  }
  return NTE_NO_MEMORY;
}

static struct slot *slot_of(ULONG_PTR handle) {
  size_t index = (handle & 0xffff) - 1;
  if (index >= SLOTS || slots[index].kind == FREE_SLOT) return NULL;
  return handle_of(index) == handle ? &slots[index] : NULL;
}

/* What the handle stands for; NULL where it stands for nothing of this kind. */
void *find_handle(enum handle_kind kind, ULONG_PTR handle) {
  struct slot *slot = slot_of(handle);
  return slot != NULL && slot->kind == kind ? slot->object : NULL;
}

/* Ends a handle of any kind. */
bool close_handle(ULONG_PTR handle) {
  struct slot *slot = slot_of(handle);
  if (slot == NULL) return false;
  free(slot->object);
  slot->object = NULL;
  slot->kind = FREE_SLOT;
  return true;
}

/* How many handles are open. */
DWORD count_handles(void) {
  DWORD count = 0;
  for (size_t index = 0; index < SLOTS; index++) count += slots[index].kind != FREE_SLOT;
  return count;
}
