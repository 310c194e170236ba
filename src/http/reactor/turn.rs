//! Those who are behind have their turns, and those who are silent or stand still their visits.

use std::os::fd::AsRawFd;
use std::time::Instant;

use mio::unix::SourceFd;

use super::group::Group;
use super::seat::{Part, Peer, Pending, Place, Seat, Sent};
use super::visits::Tick;
use super::wire::Framing;
use super::{After, GONE, Manner, Reactor, Returned, SLICE, kind_of};
use crate::batch::MAX_BATCH;
use crate::channel::Archived;
use crate::http::client::{self, Chunk, Next};

/// What a client that is behind is sent at once, in bytes: two batches, which costs it half the wake-ups of one.
const TURN: usize = 2 * MAX_BATCH;

/// Why a client is cut.
const BEHIND: &str = "the client fell behind the history";

impl Reactor {
    /// Gives turns to those who are behind, one after the other, until nobody is, the time is over, or somebody else has to be looked at first.
    pub(super) fn give_turns(&mut self) {
        if self.behind.is_empty() {
            return;
        }
        let (began, rung) = (Instant::now(), self.rung.len());
        while let Some(visit) = self.behind.pop_front() {
            if self.seat_of(visit).is_some_and(|seat| matches!(seat.place, Place::Behind)) {
                self.give_turn(visit.0);
            }
            if self.rung.len() > rung || began.elapsed() > SLICE {
                return;
            }
        }
    }

    pub(super) fn give_turn(&mut self, number: u32) {
        let seat = &mut self.seats[number as usize];
        if let Some(pending) = seat.pending.take() {
            return self.go_on(number, pending);
        }
        // Those who wait for the same may be far ahead again whenever this one has caught up: they meet where they are now.
        let meeting = self.groups.get(&kind_of(seat)).map(|group| &group.edge);
        if seat.is_greeted() && seat.peer == Peer::Open && meeting == Some(seat.subscriber.cursor()) {
            return self.join(number);
        }
        let (head, said) = seat.take_first();
        if self.equipment.ending.now.is_cancelled() {
            return self.send(number, &head, &Chunk::default(), Part::Last);
        }
        let Seat { subscriber, sifting, format, .. } = &mut **seat;
        match client::next(subscriber, sifting.as_deref_mut(), *format, said, TURN, meeting, &self.equipment.metrics) {
            Next::Chunk(chunk) => {
                let part = if seat.subscriber.is_finished() { Part::Last } else { Part::Inner };
                self.send(number, &head, &chunk, part);
            }
            Next::Archived(_) | Next::Later if !head.is_empty() => self.send(number, &head, &Chunk::default(), Part::Inner),
            Next::Archived(archived) => self.read_archived(number, &archived),
            Next::Later => self.look_on(number),
            Next::Cut => self.cut(number, &head),
            Next::End => self.send(number, &head, &Chunk::default(), Part::Last),
            Next::Wait if self.is_ending => self.send(number, &head, &Chunk::default(), Part::Last),
            Next::Wait if !head.is_empty() => self.send(number, &head, &Chunk::default(), Part::Inner),
            Next::Wait if seat.peer == Peer::Silent => self.dismiss(number, GONE),
            Next::Wait => self.join(number),
        }
    }

    /// Reads on from the disk, or leaves that to a reactor that may wait for it.
    fn read_archived(&mut self, number: u32, archived: &Archived) {
        let Manner::Archived(archivist) = &self.manner else { return self.hand_over(number) };
        let Seat { subscriber, sifting, format, playback, .. } = &mut *self.seats[number as usize];
        let room = if sifting.is_some() { MAX_BATCH } else { TURN };
        let fetched = archivist.fetch(&subscriber.filter(), archived, room, playback);
        match fetched.into_chunk(archived, subscriber, sifting.as_deref_mut(), *format) {
            Some(chunk) => self.send(number, &[], &chunk, Part::Inner),
            None => self.look_on(number),
        }
    }

    /// The client has its next turn later. If it has looked through events without finding anything for long, it gives a sign of life meanwhile.
    fn look_on(&mut self, number: u32) {
        let seat = &mut self.seats[number as usize];
        let is_silent = seat.sifting.is_some() && self.visits.after(seat.moved, seat.silence) <= self.now;
        let said = if is_silent { seat.sign_of_life() } else { Vec::new() };
        if said.is_empty() {
            return self.put_behind(number);
        }
        self.send(number, &[], &Chunk { said, ..Chunk::default() }, Part::Inner);
    }

    /// Sends the rest of what was pending.
    fn go_on(&mut self, number: u32, mut pending: Box<Pending>) {
        let seat = &mut self.seats[number as usize];
        match seat.send_on(&mut pending, &mut self.wire, self.now, &self.manner) {
            None => self.dismiss(number, BEHIND),
            Some(outcome) => self.settle(number, outcome, pending.part(), Some(pending)),
        }
    }

    /// Sends the next part of a stream, in one write.
    fn send(&mut self, number: u32, head: &[u8], chunk: &Chunk, part: Part) {
        let seat = &mut self.seats[number as usize];
        seat.fill(&mut self.wire, head, chunk, part);
        if part == Part::Last {
            seat.leave_slot();
        }
        self.equipment.metrics.stream_bytes.add(chunk.length() as u64);
        let outcome = seat.send(&self.wire, 0, self.now);
        let pending = outcome.part().map(|count| {
            let kept = self.room.keep(&self.wire, &chunk.again);
            Box::new(Pending::of(&self.wire, head, chunk, part, count, kept))
        });
        self.settle(number, outcome, part, pending);
    }

    /// What follows when a part of a stream was sent; `pending` is what is left of it, if anything is.
    fn settle(&mut self, number: u32, sent: Sent, part: Part, pending: Option<Box<Pending>>) {
        match (sent, pending) {
            (Sent::All, _) if part == Part::Last => self.end(number),
            (Sent::All, _) => self.put_behind(number),
            (Sent::Part(_), Some(pending)) => self.stall(number, pending),
            (Sent::Part(_), None) | (Sent::Gone, _) => self.dismiss(number, GONE),
        }
    }

    /// The client fell behind before it was sent anything, or after; in any case it gets an answer first.
    fn cut(&mut self, number: u32, head: &[u8]) {
        self.wire.fill(head, &Chunk::default(), Framing::Plain);
        if !head.is_empty() {
            // A socket that is new has room for it.
            let _ = self.seats[number as usize].send(&self.wire, 0, self.now);
        }
        self.dismiss(number, BEHIND);
    }

    /// The stream is complete, and the peer has been sent its end.
    fn end(&mut self, number: u32) {
        let mut seat = self.remove(number);
        let may_ask_again = seat.peer == Peer::Open || !seat.unread.is_empty();
        let stays = seat.after == After::Stay && may_ask_again && !self.is_ending;
        if !stays || self.poll.registry().deregister(&mut SourceFd(&seat.socket.as_raw_fd())).is_err() {
            return seat.hang_up();
        }
        let Seat { socket, unread, ticket, .. } = *seat;
        // There is room for it: it has a place among the connections. Nobody takes it only when the daemon is gone.
        let _ = self.equipment.give_back.try_send(Returned { stream: socket, unread, ticket });
    }

    /// The client has everything: it joins those who wait for the same.
    fn join(&mut self, number: u32) {
        if matches!(self.manner, Manner::Archived(_)) {
            return self.hand_over(number);
        }
        let seat = &mut self.seats[number as usize];
        let cursor = seat.subscriber.cursor();
        let kind = kind_of(seat);
        match self.groups.get_mut(&kind) {
            Some(group) if group.hanging.is_level(&group.edge, cursor) => {
                seat.place = Place::Live(group.seats.len());
                group.seats.push(number);
            }
            Some(_) => {
                // The group is swept first.
                self.rung.push(kind.view);
                return self.put_behind(number);
            }
            None => {
                let hanging = seat.subscriber.hang(&self.door.bell);
                let sifting = seat.sifting.as_ref().map(|sifting| Box::new(sifting.shared()));
                self.groups.insert(kind, Group { hanging, edge: cursor.clone(), sifting, is_due: false, seats: vec![number] });
                seat.place = Place::Live(0);
                self.rung.push(kind.view); // what came before the bell was hung up did not ring it
            }
        }
        self.equipment.metrics.waiting.add(1);
        self.expect_silence(number);
    }

    /// The socket is full: the rest goes out when it has room.
    pub(super) fn stall(&mut self, number: u32, pending: Box<Pending>) {
        let seats = self.seats.len();
        let seat = &mut self.seats[number as usize];
        seat.place = Place::Stalled;
        seat.pending = Some(pending);
        seat.let_playback_rest(seats);
        let due = self.visits.after(seat.moved, self.equipment.write_timeout);
        self.visit_at(number, due);
    }

    /// Lines alone have no sign of life.
    fn expect_silence(&mut self, number: u32) {
        let seat = &self.seats[number as usize];
        if seat.has_signs_of_life() {
            let due = self.visits.after(seat.moved, seat.silence);
            self.visit_at(number, due);
        }
    }

    /// Visits a seat then, or earlier if that has been arranged.
    fn visit_at(&mut self, number: u32, due: Tick) {
        let seat = &mut self.seats[number as usize];
        if due < seat.visit {
            seat.visit = due;
            self.visits.add(due, (number, seat.guest));
        }
    }

    /// Visits whoever is to be visited by now, as many as the time allows: a crowd that was sent the same is silent at the same time.
    pub(super) fn make_visits(&mut self) {
        let began = Instant::now();
        while let Some((due, visit)) = self.visits.due(self.now) {
            // Others were arranged before an earlier one was.
            if self.seat_of(visit).is_some_and(|seat| seat.visit == due) {
                self.make_visit(visit.0);
                if began.elapsed() > SLICE {
                    return;
                }
            }
        }
    }

    fn make_visit(&mut self, number: u32) {
        let now = self.now;
        let seat = &mut self.seats[number as usize];
        seat.visit = Tick::MAX;
        let stands_still_until = self.visits.after(seat.moved, self.equipment.write_timeout);
        match seat.place {
            Place::Stalled if stands_still_until <= now => {
                self.equipment.metrics.stalled.add(1);
                self.dismiss(number, "its peer took nothing for --write-timeout");
            }
            Place::Stalled => self.visit_at(number, stands_still_until),
            Place::Live(_) if self.visits.after(seat.moved, seat.silence) <= now => self.break_silence(number),
            // The end of its being behind arranges the next one, if it is.
            Place::Live(_) => self.expect_silence(number),
            Place::Behind => {}
        }
    }

    fn break_silence(&mut self, number: u32) {
        let seat = &mut self.seats[number as usize];
        if let Some(group) = self.groups.get(&kind_of(seat)) {
            seat.catch_up(&group.edge, group.sifting.as_deref());
        }
        let said = seat.sign_of_life();
        if said.is_empty() {
            seat.moved = self.now; // it is silent, and may be
            return self.expect_silence(number);
        }
        let chunk = Chunk { said, ..Chunk::default() };
        self.wire.fill(&[], &chunk, seat.framing);
        self.equipment.metrics.stream_bytes.add(chunk.length() as u64);
        match seat.send(&self.wire, 0, self.now) {
            Sent::All => self.expect_silence(number),
            Sent::Part(count) => {
                // A few bytes that are said again, not read again.
                let pending = Pending::of(&self.wire, &[], &chunk, Part::Inner, count, None);
                self.leave_group(number);
                self.stall(number, Box::new(pending));
            }
            Sent::Gone => self.dismiss(number, GONE),
        }
    }
}
