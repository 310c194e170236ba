//! Memory that a crowd has left behind goes back to the kernel.
//!
//! The C library's allocator gives back what is free at the end of its heap, and a single block that is still used there keeps all that is free
//! below it. So after ten thousand clients have come and gone, the process would look as if they were still there. `malloc_trim` gives
//! back every free page, wherever it lies.
//!
//! This is the only unsafe code of the program.

/// Gives free memory back. Takes a few milliseconds, so it is for rare moments.
#[cfg(target_env = "gnu")]
pub fn give_back() {
    // SAFETY: `malloc_trim(3)` takes a number and touches only memory that the allocator knows to be free, under its own locks; it may be called
    // from any thread at any time. Rust's default allocator is that allocator (`System` is malloc on this target), and no other is installed.
    #[expect(unsafe_code, reason = "the C library has no other way to say it")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries give memory back by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
