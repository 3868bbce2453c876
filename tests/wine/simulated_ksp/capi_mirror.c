/*
 * A copy of each RSA key in a CAPI container of the same name.
 *
 * This is Wine's need and nothing that Windows does. Wine's SChannel doesn't ask NCrypt for the key
 * of a client certificate: it looks for a CAPI container by the name in the certificate's
 * CERT_KEY_PROV_INFO, whatever provider is named there (dlls/secur32/schannel.c, get_key_blob). So
 * the copy lives exactly as long as the key signs, or a handshake would succeed with a dead key.
 * A credential handle that SChannel has given before has a copy of its own: what it does with a key
 * that died since is Wine's affair. CAPI knows no elliptic curves, and neither do handshakes here.
 *
 * Keys of two providers with one name have one container: the last one that was made has it.
 */

#include "simulated_ksp.h"

#include <string.h>
#include <wincrypt.h>

/* A BCRYPT_RSAKEY_BLOB, which is big-endian, and a PRIVATEKEYBLOB, which isn't. */
struct cursor {
  const BYTE *from;
  BYTE *to;
};

static void copy_number(struct cursor *cursor, DWORD size) {
  for (DWORD i = 0; i < size; i++) cursor->to[i] = cursor->from[size - 1 - i];
  cursor->from += size;
  cursor->to += size;
}

/* The bytes of a PRIVATEKEYBLOB of this key; 0 where it can't be one. */
static DWORD private_blob(const struct key_record *record, BYTE *out) {
  const BCRYPT_RSAKEY_BLOB *from = (const BCRYPT_RSAKEY_BLOB *) record->private_key;
  DWORD half = from->BitLength / 16;
  bool is_even = from->cbModulus == half * 2 && from->cbPrime1 == half && from->cbPrime2 == half;
  if (!is_even || from->cbPublicExp > sizeof(DWORD)) return 0;

  BLOBHEADER header = {PRIVATEKEYBLOB, CUR_BLOB_VERSION, 0, CALG_RSA_KEYX};
  RSAPUBKEY key = {.magic = 0x32415352, .bitlen = from->BitLength};
  struct cursor cursor = {(const BYTE *) (from + 1), (BYTE *) &key.pubexp};
  copy_number(&cursor, from->cbPublicExp);
  memcpy(out, &header, sizeof header);
  memcpy(out + sizeof header, &key, sizeof key);
  cursor.to = out + sizeof header + sizeof key;
  // Modulus; two primes, two exponents, the coefficient; the private exponent: in both of them.
  copy_number(&cursor, half * 2);
  for (int i = 0; i < 5; i++) copy_number(&cursor, half);
  copy_number(&cursor, half * 2);
  return (DWORD) (cursor.to - out);
}

void remove_mirror(const struct key_place *place) {
  HCRYPTPROV none;
  CryptAcquireContextW(&none, place->name, MS_ENH_RSA_AES_PROV_W, PROV_RSA_AES,
                       CRYPT_DELETEKEYSET | CRYPT_SILENT);
}

/* Puts a copy in place of the one that is there, if any; none of a key that doesn't sign. */
void mirror_key(const struct key_place *place, const struct key_record *record) {
  remove_mirror(place);
  BYTE blob[MAX_PRIVATE];
  DWORD size = is_rsa(record) && is_usable(place, record) ? private_blob(record, blob) : 0;
  HCRYPTPROV container;
  if (size == 0 || !CryptAcquireContextW(&container, place->name, MS_ENH_RSA_AES_PROV_W,
                                         PROV_RSA_AES, CRYPT_NEWKEYSET | CRYPT_SILENT)) {
    return;
  }
  HCRYPTKEY key;
  // Without CRYPT_EXPORTABLE: nobody gets it out again.
  if (CryptImportKey(container, blob, size, 0, 0, &key)) CryptDestroyKey(key);
  CryptReleaseContext(container, 0);
  SecureZeroMemory(blob, sizeof blob);
}
