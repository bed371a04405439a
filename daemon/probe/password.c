/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Password: see the header.
 *
 * Source: PostgreSQL documentation, "Message Flow", "SASL Authentication", "Message Formats".
 */

#include "probe/password.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

/* What servers use is 4,096, which takes some milliseconds; nothing else runs meanwhile. */
#define ITERATIONS_MAX 50000

#define SHA256_BYTES 32
#define SALT_MAX     256

enum { CLEAR_TEXT = 3, MD5 = 5, SASL = 10, SASL_CONTINUE = 11 };

/* A PasswordMessage: 'p', its length, the text. */
static ssize_t message(uint8_t out[static PL_PASSWORD_REPLY_MAX], const void *text, size_t n) {
        uint32_t size = (uint32_t)n + 4;

        if (n > PL_PASSWORD_REPLY_MAX - 5)
                return -EPROTO;
        out[0] = 'p';
        for (unsigned i = 0; i < 4; i++)
                out[1 + i] = (uint8_t)(size >> (24 - 8 * i));
        memcpy(out + 5, text, n);
        return (ssize_t)n + 5;
}

/* Lower-case hexadecimal of the MD5 of two things one after the other. */
static int md5(const void *a, size_t n_a, const void *b, size_t n_b, char hex[static 33]) {
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        bool ok = c && EVP_DigestInit_ex(c, EVP_md5(), NULL) == 1 &&
                  EVP_DigestUpdate(c, a, n_a) == 1 && EVP_DigestUpdate(c, b, n_b) == 1 &&
                  EVP_DigestFinal_ex(c, digest, &size) == 1 && size == 16;

        EVP_MD_CTX_free(c);
        if (!ok)
                return -ENOTSUP; /* a host that allows no MD5 */
        for (unsigned i = 0; i < 16; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        return 0;
}

static ssize_t reply_md5(const PlLogin *l, const uint8_t *salt,
                         uint8_t out[static PL_PASSWORD_REPLY_MAX]) {
        char inner[33], outer[36] = "md5";
        ssize_t r = md5(l->password, strlen(l->password), l->user, strlen(l->user), inner);

        if (r >= 0)
                r = md5(inner, 32, salt, 4, outer + 3);
        if (r >= 0)
                r = message(out, outer, sizeof(outer)); /* with its NUL */
        explicit_bzero(inner, sizeof(inner));
        explicit_bzero(outer, sizeof(outer));
        return r;
}

/* Is it among the NUL terminated names? */
static bool offers(const uint8_t *names, size_t n, const char *name) {
        size_t len = strlen(name) + 1;

        while (n > 0 && *names) {
                const uint8_t *end = memchr(names, 0, n);

                if (!end)
                        return false;
                if (n >= len && memcmp(names, name, len) == 0)
                        return true;
                n -= (size_t)(end - names) + 1;
                names = end + 1;
        }
        return false;
}

static ssize_t reply_first(PlPassword *p, uint8_t out[static PL_PASSWORD_REPLY_MAX]) {
        static const char mechanism[] = "SCRAM-SHA-256";
        uint8_t text[96], random[18];
        size_t n = sizeof(mechanism);
        int size;

        if (RAND_bytes(random, sizeof(random)) != 1)
                return -ENOMEM;
        (void)EVP_EncodeBlock((uint8_t *)p->nonce, random, sizeof(random));
        memcpy(text, mechanism, n);
        size = snprintf((char *)text + n + 4, sizeof(text) - n - 4, "n,,n=,r=%s", p->nonce);
        for (unsigned i = 0; i < 4; i++)
                text[n + i] = (uint8_t)((uint32_t)size >> (24 - 8 * i));
        p->begun = true;
        return message(out, text, n + 4 + (size_t)size);
}

/* The server's first message: "r=NONCE,s=SALT,i=ITERATIONS". Borrowed from text, which is cut. */
typedef struct Server {
        char *nonce, *salt;
        unsigned long iterations;
} Server;

static int read_server(char *text, const PlPassword *p, Server *ret) {
        char *salt = strstr(text, ",s="), *count = salt ? strstr(salt + 1, ",i=") : NULL, *end;

        if (!count || strncmp(text, "r=", 2) != 0)
                return -EPROTO;
        *salt = *count = '\0';
        *ret = (Server){ .nonce = text + 2, .salt = salt + 3 };
        if (count[3] < '1' || count[3] > '9')
                return -EPROTO;
        ret->iterations = strtoul(count + 3, &end, 10);
        /* it must go on with our own */
        if ((*end && *end != ',') || strncmp(ret->nonce, p->nonce, strlen(p->nonce)) != 0)
                return -EPROTO;
        return ret->iterations > ITERATIONS_MAX ? -ENOTSUP : 0;
}

static int decode_salt(const char *text, uint8_t salt[static SALT_MAX], size_t *ret_n) {
        size_t n = strlen(text);
        int size;

        if (n < 4 || n % 4 != 0 || n / 4 * 3 > SALT_MAX)
                return -EPROTO;
        size = EVP_DecodeBlock(salt, (const uint8_t *)text, (int)n);
        if (size < 0)
                return -EPROTO;
        *ret_n = (size_t)size - (text[n - 1] == '=') - (text[n - 2] == '=');
        return 0;
}

static bool hmac(const uint8_t key[static SHA256_BYTES], const char *text,
                 uint8_t out[static SHA256_BYTES]) {
        return HMAC(EVP_sha256(), key, SHA256_BYTES, (const uint8_t *)text, strlen(text), out,
                    NULL) != NULL;
}

/* RFC 5802, 3: ClientProof of an AuthMessage. */
static int proof_of(const PlLogin *l, const Server *s, const char *auth,
                    uint8_t proof[static SHA256_BYTES]) {
        uint8_t salt[SALT_MAX], salted[SHA256_BYTES], key[SHA256_BYTES], stored[SHA256_BYTES];
        size_t n_salt = 0;
        int r = decode_salt(s->salt, salt, &n_salt);

        if (r < 0)
                return r;
        if (PKCS5_PBKDF2_HMAC(l->password, (int)strlen(l->password), salt, (int)n_salt,
                              (int)s->iterations, EVP_sha256(), SHA256_BYTES, salted) != 1 ||
            !hmac(salted, "Client Key", key) ||
            EVP_Digest(key, SHA256_BYTES, stored, NULL, EVP_sha256(), NULL) != 1 ||
            !hmac(stored, auth, proof))
                r = -ENOMEM;
        for (unsigned i = 0; i < SHA256_BYTES; i++)
                proof[i] ^= key[i];
        explicit_bzero(salted, sizeof(salted));
        explicit_bzero(key, sizeof(key));
        return r;
}

static ssize_t reply_final(const PlPassword *p, const PlLogin *l, const uint8_t *body, size_t n,
                           uint8_t out[static PL_PASSWORD_REPLY_MAX]) {
        char text[512], first[512], auth[1280], last[800];
        uint8_t proof[SHA256_BYTES], base64[48];
        Server s;
        int r;

        if (n >= sizeof(text) || memchr(body, 0, n))
                return -EPROTO;
        memcpy(text, body, n);
        text[n] = '\0';
        memcpy(first, text, n + 1);
        r = read_server(text, p, &s);
        if (r < 0)
                return r;
        /* "biws" is "n,," in base 64: no channel binding */
        (void)snprintf(auth, sizeof(auth), "n=,r=%s,%s,c=biws,r=%s", p->nonce, first, s.nonce);
        r = proof_of(l, &s, auth, proof);
        if (r < 0)
                return r;
        (void)EVP_EncodeBlock(base64, proof, sizeof(proof));
        (void)snprintf(last, sizeof(last), "c=biws,r=%s,p=%s", s.nonce, (char *)base64);
        return message(out, last, strlen(last));
}

ssize_t pl_password_reply(PlPassword *p, const PlLogin *login, const uint8_t *body, size_t n,
                          uint8_t out[static PL_PASSWORD_REPLY_MAX]) {
        uint32_t code;

        if (n < 4)
                return -EPROTO;
        code = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
        body += 4;
        n -= 4;
        if (code == CLEAR_TEXT)
                return message(out, login->password, strlen(login->password) + 1);
        if (code == MD5)
                return n >= 4 ? reply_md5(login, body, out) : -EPROTO;
        if (code == SASL)
                return offers(body, n, "SCRAM-SHA-256") ? reply_first(p, out) : -ENOTSUP;
        if (code == SASL_CONTINUE && p->begun)
                return reply_final(p, login, body, n, out);
        return -EPROTO;
}
