/*
 * The cryptography behind the keys: Wine's bcrypt.dll, which is GnuTLS.
 *
 * A private key is imported anew for each use, for one that has signed by PSS refuses PKCS#1 from
 * then on under Wine.
 */

#include "simulated_ksp.h"

#include <wchar.h>

bool is_rsa(const struct key_record *record) {
  return wcscmp(record->algorithm, BCRYPT_RSA_ALGORITHM) == 0;
}

static const WCHAR *private_type(const struct key_record *record) {
  return is_rsa(record) ? BCRYPT_RSAFULLPRIVATE_BLOB : BCRYPT_ECCPRIVATE_BLOB;
}

static SECURITY_STATUS status_of(NTSTATUS status) {
  return BCRYPT_SUCCESS(status) ? ERROR_SUCCESS : NTE_FAIL;
}

/* Makes a key pair as the record says and puts its private half there. */
SECURITY_STATUS generate_key(struct key_record *record) {
  BCRYPT_ALG_HANDLE algorithm;
  BCRYPT_KEY_HANDLE pair = NULL;
  NTSTATUS status = BCryptOpenAlgorithmProvider(&algorithm, record->algorithm, NULL, 0);
  if (!BCRYPT_SUCCESS(status)) return NTE_NOT_SUPPORTED;
  status = BCryptGenerateKeyPair(algorithm, &pair, record->bits, 0);
  if (BCRYPT_SUCCESS(status)) status = BCryptFinalizeKeyPair(pair, 0);
  if (BCRYPT_SUCCESS(status)) {
    status = BCryptExportKey(pair, NULL, private_type(record), record->private_key, MAX_PRIVATE,
                             &record->private_size, 0);
  }
  if (pair != NULL) BCryptDestroyKey(pair);
  BCryptCloseAlgorithmProvider(algorithm, 0);
  return status_of(status);
}

static NTSTATUS import_key(const struct key_record *record, BCRYPT_ALG_HANDLE *algorithm,
                           BCRYPT_KEY_HANDLE *pair) {
  NTSTATUS status = BCryptOpenAlgorithmProvider(algorithm, record->algorithm, NULL, 0);
  if (!BCRYPT_SUCCESS(status)) return status;
  status = BCryptImportKeyPair(*algorithm, NULL, private_type(record), pair,
                               (BYTE *) record->private_key, record->private_size, 0);
  if (!BCRYPT_SUCCESS(status)) BCryptCloseAlgorithmProvider(*algorithm, 0);
  return status;
}

static void forget_key(BCRYPT_ALG_HANDLE algorithm, BCRYPT_KEY_HANDLE pair) {
  BCryptDestroyKey(pair);
  BCryptCloseAlgorithmProvider(algorithm, 0);
}

/* The key in this format; `out` has room for MAX_PRIVATE bytes. */
SECURITY_STATUS export_key(const struct key_record *record, const WCHAR *type, BYTE *out,
                           DWORD *size) {
  BCRYPT_ALG_HANDLE algorithm;
  BCRYPT_KEY_HANDLE pair;
  NTSTATUS status = import_key(record, &algorithm, &pair);
  if (!BCRYPT_SUCCESS(status)) return status_of(status);
  status = BCryptExportKey(pair, NULL, type, out, MAX_PRIVATE, size, 0);
  forget_key(algorithm, pair);
  return status_of(status);
}

/* A signature over the hash; `mode` is a BCRYPT_PAD_* or 0. */
SECURITY_STATUS sign_hash(const struct key_record *record, void *padding, DWORD mode, BYTE *hash,
                          DWORD hash_size, BYTE *out, DWORD capacity, DWORD *size) {
  BCRYPT_ALG_HANDLE algorithm;
  BCRYPT_KEY_HANDLE pair;
  NTSTATUS status = import_key(record, &algorithm, &pair);
  if (!BCRYPT_SUCCESS(status)) return status_of(status);
  status = BCryptSignHash(pair, padding, hash, hash_size, out, capacity, size, mode);
  forget_key(algorithm, pair);
  return status_of(status);
}
