/*
 * A test double of ncrypt.dll for Wine, which has no named CNG keys: a "simulated KSP".
 *
 * Written from Microsoft's documentation of the NCrypt functions. What passes on it shows that a
 * program makes the calls it means to, on real handles and through its real FFI; it doesn't show
 * what Windows answers. Where the documentation is silent, the comment says so.
 *
 * Keys and settings are in the registry, HKEY_CURRENT_USER\Software\Keybound Simulated KSP, which
 * the processes of one Wine prefix share. The private keys lie there unprotected.
 *
 * The functions of each file run under the process's lock, taken by begin() in the exported ones.
 */

#ifndef SIMULATED_KSP_H
#define SIMULATED_KSP_H

#include <windows.h>
#include <bcrypt.h>
#include <ncrypt.h>
#include <stdbool.h>

/* Characters of a key's name, its zero included. */
#define MAX_NAME 512
/* Bytes of a private key as bcrypt.dll exports it: one of RSA-4096 has 2,336. */
#define MAX_PRIVATE 4096

/* Not in every ncrypt.h: keys isolated by VBS, and those that die with the boot. */
#define USE_VIRTUAL_ISOLATION 0x00020000
#define USE_PER_BOOT_KEY 0x00040000

/* What Windows says where it has no VBS (no name in winerror.h). */
#define VBS_UNAVAILABLE ((SECURITY_STATUS) 0x80890014)

/* The two key storage providers that there are. */
enum storage { SOFTWARE, PLATFORM };

/* What is kept of a key: one registry value, so that no reader sees half of it. */
struct key_record {
  DWORD bits;
  DWORD export_policy;
  DWORD usage;
  /* Those of NCryptCreatePersistedKey. */
  DWORD flags;
  /* The number of the boot in which it was made. */
  DWORD boot;
  /* What its signatures fail with; 0 for a key that lives. Tests set it. */
  DWORD dead_status;
  WCHAR algorithm[16];
  DWORD private_size;
  BYTE private_key[MAX_PRIVATE];
};

/* Names a key. `name` is empty for a key that isn't kept. */
struct key_place {
  enum storage storage;
  bool of_machine;
  WCHAR name[MAX_NAME];
};

/* What an NCRYPT_KEY_HANDLE stands for. */
struct key {
  struct key_place place;
  struct key_record record;
  bool is_finalized;
};

/* What an NCRYPT_PROV_HANDLE stands for. */
struct provider {
  enum storage storage;
};

/* handles.c */
enum handle_kind { FREE_SLOT, KEY_HANDLE, PROVIDER_HANDLE };
SECURITY_STATUS begin(const WCHAR *function);
SECURITY_STATUS end(SECURITY_STATUS status);
SECURITY_STATUS open_handle(enum handle_kind kind, const void *object, size_t size,
                            ULONG_PTR *handle);
void *find_handle(enum handle_kind kind, ULONG_PTR handle);
bool close_handle(ULONG_PTR handle);
DWORD count_handles(void);

/* registry.c */
typedef void each_record(const struct key_place *place, struct key_record *record, void *context);
bool load_record(const struct key_place *place, struct key_record *record);
bool save_record(const struct key_place *place, const struct key_record *record);
void delete_record(const struct key_place *place);
DWORD for_each_record(each_record *work, void *context);
DWORD read_setting(const WCHAR *section, const WCHAR *name, DWORD otherwise);
bool write_setting(const WCHAR *section, const WCHAR *name, DWORD value);
void delete_everything(void);
void lock_registry(void);
void unlock_registry(void);

/* machine.c */
SECURITY_STATUS storage_status(enum storage storage);
bool has_vbs(void);
SECURITY_STATUS open_status(const struct key_record *record);
SECURITY_STATUS signing_status(const struct key *key);
bool is_usable(const struct key_place *place, const struct key_record *record);

/* properties.c */
SECURITY_STATUS give(const void *value, size_t size, BYTE *out, DWORD capacity, DWORD *result);

/* cryptography.c */
bool is_rsa(const struct key_record *record);
SECURITY_STATUS generate_key(struct key_record *record);
SECURITY_STATUS export_key(const struct key_record *record, const WCHAR *type, BYTE *out,
                           DWORD *size);
SECURITY_STATUS sign_hash(const struct key_record *record, void *padding, DWORD mode, BYTE *hash,
                          DWORD hash_size, BYTE *out, DWORD capacity, DWORD *size);

/* capi_mirror.c */
void mirror_key(const struct key_place *place, const struct key_record *record);
void remove_mirror(const struct key_place *place);

/* capi_redirection.c */
bool redirect_capi(void);

#endif
