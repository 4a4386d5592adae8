#!/bin/sh
# A SoftHSM token with a key of every algorithm, for tests.
#
#   softhsm.sh DIR [LABEL] [PIN]
#
# makes DIR/softhsm2.conf and one token in DIR/tokens. A key pair NAME has the
# label NAME, the public key in DIR/NAME.pem and, all but `bare`, a certificate
# in DIR/NAME.crt (DER) and on the token, issued by DIR/ca.crt, which lies on
# the token as well (label ca, id ca):
#
#   rsa 01   rsa4096 02   p256 03   p384 04   p521 05   ed 06
#   bare 07  P-256 without a certificate
#   auth 0a  P-256, CKA_ALWAYS_AUTHENTICATE
#   clock 0b P-256 of a time-stamp authority: its certificate is for that alone
#   weak 08  RSA 1024; k1 09 secp256k1: never to be used, neither certificate nor .pem
#
# Use it with SOFTHSM2_CONF=DIR/softhsm2.conf.
set -eu

dir=$1
label=${2:-test}
pin=${3:-1234}
module=${SIGNET_SOFTHSM:-/usr/lib/softhsm/libsofthsm2.so}
work="$dir/work"

mkdir -p "$dir/tokens" "$work"
cat >"$dir/softhsm2.conf" <<CONF
directories.tokendir = $dir/tokens
objectstore.backend = file
log.level = ERROR
slots.removable = false
CONF
export SOFTHSM2_CONF="$dir/softhsm2.conf"

# The PIN of a throw-away token does no harm in argv.
tool() {
	pkcs11-tool --module "$module" --token-label "$label" --login --pin "$pin" "$@" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; exit 1; }
}

# The public key object NAME as SubjectPublicKeyInfo: $2 (hex) and the point without its OCTET STRING,
# which has a header of $3 digits. pkcs11-tool itself exports RSA and P-256 only.
spki() {
	tool -O --type pubkey
	point=$(awk -v name="$1" '$1 == "EC_POINT:" { point = $2 } $1 == "label:" && $2 == name { print point; exit }' \
		"$work/log" | cut -c "$3-")
	printf '%s%s' "$2" "$point" | tr a-f A-F | basenc --base16 -d >"$work/$1.der"
}

# key NAME ID TYPE [OPTION]
key() {
	tool --keypairgen --key-type "$3" --id "$2" --label "$1" --usage-sign ${4:-}
	case $3 in
	rsa:*) tool --read-object --type pubkey --id "$2" -o "$work/$1.der" ;;
	EC:prime256v1) spki "$1" 3059301306072a8648ce3d020106082a8648ce3d030107034200 5 ;;
	EC:secp384r1) spki "$1" 3076301006072a8648ce3d020106052b81040022036200 5 ;;
	EC:secp521r1) spki "$1" 30819b301006072a8648ce3d020106052b8104002303818600 7 ;;
	EC:edwards25519) spki "$1" 302a300506032b6570032100 5 ;;
	*) return ;;
	esac
	openssl pkey -pubin -inform DER -in "$work/$1.der" -out "$dir/$1.pem"
}

# cert NAME ID [EXTENSION]: for the key of that name
cert() {
	echo "${3:-}" >"$work/extensions"
	openssl x509 -req -in "$work/any.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -force_pubkey "$dir/$1.pem" \
		-set_serial "0x$2" -days 30 -extfile "$work/extensions" -outform DER -out "$dir/$1.crt" 2>/dev/null
	tool --write-object "$dir/$1.crt" --type cert --id "$2" --label "$1"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=test authority" -days 30 \
	-keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl x509 -in "$work/ca.pem" -outform DER -out "$dir/ca.crt"
openssl req -new -key "$work/ca.key" -subj "/CN=test signer" -out "$work/any.csr"
softhsm2-util --init-token --free --label "$label" --so-pin 12345678 --pin "$pin" >/dev/null

tool --write-object "$dir/ca.crt" --type cert --id ca --label ca
key rsa 01 rsa:2048 && cert rsa 01
key rsa4096 02 rsa:4096 && cert rsa4096 02
key p256 03 EC:prime256v1 && cert p256 03
key p384 04 EC:secp384r1 && cert p384 04
key p521 05 EC:secp521r1 && cert p521 05
key ed 06 EC:edwards25519 && cert ed 06
key bare 07 EC:prime256v1
key auth 0a EC:prime256v1 --always-auth && cert auth 0a
key clock 0b EC:prime256v1 && cert clock 0b extendedKeyUsage=critical,timeStamping
key weak 08 rsa:1024
key k1 09 EC:secp256k1
rm -f "$dir/weak.pem"
rm -rf "$work"
