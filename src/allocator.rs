//! Settings of the C library's allocator, and the return of free memory to the system.
//!
//! By default, glibc keeps what a large webhook has used: in the arena of the thread that parsed it, for later
//! allocations of that thread. A relay that got large webhooks on several threads would then need several times the
//! memory of one. Another allocator would add some megabytes of code, and also keeps free memory for a while.

/// Call this before other threads start.
pub fn configure() {
    // Few threads allocate at once, because most of a request is I/O.
    #[cfg(target_env = "gnu")]
    glibc::set(&[
        (libc::M_ARENA_MAX, 2),
        // Without a fixed threshold, glibc moves it up to 32 MiB, and then keeps large buffers after their use.
        (libc::M_MMAP_THRESHOLD, 1 << 20),
        (libc::M_TRIM_THRESHOLD, 4 << 20),
    ]);
}

/// Gives free memory back to the system. Takes some milliseconds after a large webhook.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    glibc::trim();
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "glibc has no other interface, and these two functions have no preconditions")]
mod glibc {
    use libc::c_int;

    pub(super) fn set(options: &[(c_int, c_int)]) {
        for (option, value) in options {
            // SAFETY: `mallopt` is thread-safe and accepts any value. Its result only says if it knows the option.
            unsafe { libc::mallopt(*option, *value) };
        }
    }

    pub(super) fn trim() {
        // SAFETY: `malloc_trim` is thread-safe. Its result only says if there was free memory.
        unsafe { libc::malloc_trim(0) };
    }
}
