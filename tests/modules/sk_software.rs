//! A security key in software (OpenSSH, sk-api.h and PROTOCOL.u2f): it signs with real keys and says
//! in its signature what it was asked to prove. It keeps nothing: a key's handle is its seed. Only for
//! the scenarios: no package has it, and whoever has the handle has the key.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::slice;

use ed25519_dalek::Signer;
use nix::libc::{calloc, malloc};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use sha2::{Digest, Sha256};

/// `SSH_SK_VERSION_MAJOR` of OpenSSH 8.9 and later.
const VERSION: u32 = 0x000a_0000;

// sk-api.h
const ECDSA: u32 = 0;
const ED25519: u32 = 1;
const VERIFICATION_REQUIRED: u8 = 0x04;
const GENERAL: c_int = -1;
const UNSUPPORTED: c_int = -2;
const PIN_REQUIRED: c_int = -3;

/// The seed of a key, which is its handle.
const SEED: usize = 32;

/// `struct sk_enroll_response`
#[repr(C)]
pub struct Enrolled {
    flags: u8,
    public_key: *mut u8,
    public_key_len: usize,
    key_handle: *mut u8,
    key_handle_len: usize,
    signature: *mut u8,
    signature_len: usize,
    attestation_cert: *mut u8,
    attestation_cert_len: usize,
    authdata: *mut u8,
    authdata_len: usize,
}

/// `struct sk_sign_response`
#[repr(C)]
pub struct Signed {
    flags: u8,
    counter: u32,
    sig_r: *mut u8,
    sig_r_len: usize,
    sig_s: *mut u8,
    sig_s_len: usize,
}

/// A copy in memory that OpenSSH frees.
fn kept(bytes: &[u8]) -> (*mut u8, usize) {
    // SAFETY: malloc has no conditions; what it gives has room for the bytes, or is null.
    unsafe {
        let place: *mut u8 = malloc(bytes.len().max(1)).cast();
        if !place.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
        }
        (place, bytes.len())
    }
}

/// The bytes of a caller.
///
/// # Safety
/// There are so many at this place.
unsafe fn given<'a>(bytes: *const u8, length: usize) -> &'a [u8] {
    if bytes.is_null() {
        return &[];
    }
    // SAFETY: as the caller says.
    unsafe { slice::from_raw_parts(bytes, length) }
}

fn public(alg: u32, seed: &[u8; SEED]) -> Option<Vec<u8>> {
    match alg {
        ED25519 => {
            let key = ed25519_dalek::SigningKey::from_bytes(seed);
            Some(key.verifying_key().to_bytes().to_vec())
        }
        ECDSA => {
            let key = p256::ecdsa::SigningKey::from_slice(seed).ok()?;
            let point = key.verifying_key().to_encoded_point(false);
            Some(point.as_bytes().to_vec())
        }
        _ => None,
    }
}

fn seed() -> Option<[u8; SEED]> {
    let bytes = std::fs::read("/proc/sys/kernel/random/uuid").ok()?;
    Some(Sha256::digest(bytes).into())
}

/// Which version of the interface this is.
#[unsafe(no_mangle)]
pub extern "C" fn sk_api_version() -> u32 {
    VERSION
}

/// Makes a key.
///
/// # Safety
/// As sk-api.h says: `response` has a place for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_enroll(
    alg: u32,
    _challenge: *const u8,
    _challenge_len: usize,
    _application: *const c_char,
    flags: u8,
    _pin: *const c_char,
    _options: *mut *mut u8,
    response: *mut *mut Enrolled,
) -> c_int {
    let Some(seed) = seed() else { return GENERAL };
    let Some(public) = public(alg, &seed) else {
        return UNSUPPORTED;
    };
    // SAFETY: zeroes are an answer with nothing in it.
    let answer: *mut Enrolled = unsafe { calloc(1, size_of::<Enrolled>()) }.cast();
    if answer.is_null() {
        return GENERAL;
    }
    // SAFETY: it was made just now, and `response` is the caller's place for it.
    unsafe {
        (*answer).flags = flags;
        ((*answer).public_key, (*answer).public_key_len) = kept(&public);
        ((*answer).key_handle, (*answer).key_handle_len) = kept(&seed);
        ((*answer).signature, (*answer).signature_len) = kept(b"none");
        *response = answer;
    }
    0
}

/// Signs: over what the key is for, what it proves, how often it has signed, and the message.
///
/// # Safety
/// As sk-api.h says: the lengths are those of the buffers, texts end, `response` has a place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sign(
    alg: u32,
    data: *const u8,
    data_len: usize,
    application: *const c_char,
    key_handle: *const u8,
    key_handle_len: usize,
    flags: u8,
    pin: *const c_char,
    _options: *mut *mut u8,
    response: *mut *mut Signed,
) -> c_int {
    if flags & VERIFICATION_REQUIRED != 0 && pin.is_null() {
        return PIN_REQUIRED;
    }
    // SAFETY: as this function's caller says.
    let (data, handle, application) = unsafe {
        (
            given(data, data_len),
            given(key_handle, key_handle_len),
            CStr::from_ptr(application).to_bytes(),
        )
    };
    let Ok(seed) = <[u8; SEED]>::try_from(handle) else {
        return GENERAL;
    };
    let counter: u32 = 1;
    let mut message = Sha256::digest(application).to_vec();
    message.push(flags);
    message.extend(counter.to_be_bytes());
    message.extend(Sha256::digest(data));
    let (r, s) = match alg {
        ED25519 => {
            let key = ed25519_dalek::SigningKey::from_bytes(&seed);
            (key.sign(&message).to_bytes().to_vec(), Vec::new())
        }
        ECDSA => {
            let Ok(key) = p256::ecdsa::SigningKey::from_slice(&seed) else {
                return GENERAL;
            };
            let signed: Result<p256::ecdsa::Signature, _> =
                key.sign_prehash(&Sha256::digest(&message));
            let Ok(signature) = signed else {
                return GENERAL;
            };
            let bytes = signature.to_bytes();
            let (r, s) = bytes.split_at(bytes.len() / 2);
            (r.to_vec(), s.to_vec())
        }
        _ => return UNSUPPORTED,
    };
    // SAFETY: zeroes are an answer with nothing in it.
    let answer: *mut Signed = unsafe { calloc(1, size_of::<Signed>()) }.cast();
    if answer.is_null() {
        return GENERAL;
    }
    // SAFETY: it was made just now, and `response` is the caller's place for it.
    unsafe {
        (*answer).flags = flags;
        (*answer).counter = counter;
        ((*answer).sig_r, (*answer).sig_r_len) = kept(&r);
        if !s.is_empty() {
            ((*answer).sig_s, (*answer).sig_s_len) = kept(&s);
        }
        *response = answer;
    }
    0
}

/// It has no keys of its own.
#[unsafe(no_mangle)]
pub extern "C" fn sk_load_resident_keys(
    _pin: *const c_char,
    _options: *mut *mut u8,
    _keys: *mut *mut *mut u8,
    _count: *mut usize,
) -> c_int {
    UNSUPPORTED
}
