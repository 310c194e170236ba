//! Newcomers are seated.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::PoisonError;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::Reactor;

/// How much may wait in the kernel unsent before a socket counts as full, in bytes (tcp(7), `TCP_NOTSENT_LOWAT`): as much as a client
/// that is behind is sent at once. What it has not taken stays in memory that all clients share.
const UNSENT: u32 = 128 * 1024;

impl Reactor {
    /// Seats whoever has come.
    pub(super) fn seat_newcomers(&mut self) {
        let newcomers = std::mem::take(&mut *self.door.newcomers.lock().unwrap_or_else(PoisonError::into_inner));
        for mut seat in newcomers {
            self.guests = self.guests.wrapping_add(1);
            seat.arrive(self.guests, self.now);
            let entry = self.seats.vacant_entry();
            let Ok(number) = u32::try_from(entry.key()) else { continue };
            // One that cannot be watched is not served: the client comes back.
            if watch(self.poll.registry(), &seat.socket, Token(entry.key())).is_ok() {
                entry.insert(seat);
                self.put_behind(number);
            }
        }
    }

    /// Gives a client to a reactor of the other manner.
    pub(super) fn hand_over(&mut self, number: u32) {
        let seat = self.remove(number);
        // Nobody else is there without a disk, and then nothing is archived.
        let Some(other) = self.others.get(self.sweeps.wrapping_add(self.guests as usize) % self.others.len().max(1)) else {
            return;
        };
        if self.poll.registry().deregister(&mut SourceFd(&seat.socket.as_raw_fd())).is_ok() {
            other.let_in(seat);
        }
    }
}

/// Once for all its life: edges tell of room as well as of the end.
fn watch(registry: &Registry, socket: &TcpStream, token: Token) -> io::Result<()> {
    // A kernel without the option only holds more.
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(UNSENT);
    registry.register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE | Interest::WRITABLE)
}
