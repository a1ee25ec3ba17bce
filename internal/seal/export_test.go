package seal

// Encrypt is Seal under a given encryption key and nonce, without a header, as
// the test vectors have it.
func Encrypt(key, nonce, plain, aad []byte) ([]byte, error) {
	p, err := schedule(key)
	if err != nil {
		return nil, err
	}
	aead, err := p.message(nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nonce[12:], plain, aad), nil
}
