//! GNU tail: `tests/tail/*` of coreutils.

use super::{Held, Not, Table};

pub const TESTS: &[&str] = &[
    "inotify-rotate.sh",
    "inotify-rotate-resources.sh",
    "F-vs-rename.sh",
    "descriptor-vs-rename.sh",
    "follow-name.sh",
    "wait.sh",
    "retry.sh",
    "F-vs-missing.sh",
    "inotify-dir-recreate.sh",
    "inotify-race.sh",
    "inotify-race2.sh",
    "truncate.sh",
    "symlink.sh",
    "follow-symlink.sh",
    "append-only.sh",
    "assert.sh",
    "assert-2.sh",
    "inotify-hash-abuse.sh",
    "inotify-hash-abuse2.sh",
    "overlay-headers.sh",
    "follow-stdin.sh",
    "pipe-f.sh",
    "pipe-f2.sh",
    "pid-pipe.sh",
    "tail-n0f.sh",
    "flush-initial.sh",
    "big-4gb.sh",
    "tail-c.sh",
    "tail-sysfs.sh",
    "proc-ksyms.sh",
    "inotify-only-regular.sh",
];

pub const HERE: Table = &[
    ("inotify-rotate.sh", Held(&["following::torture::several::a_file_that_is_moved_over_by_another_one_again_and_again"])),
    ("inotify-rotate-resources.sh", Held(&["following::watching::rotations_leave_no_watches_and_no_descriptors_behind"])),
    ("F-vs-rename.sh", Held(&["following::files::rotation::files_renamed_onto_each_other_go_on_under_their_names"])),
    ("descriptor-vs-rename.sh", Held(&["following::files::rotation::late_lines_of_a_renamed_file_come_and_then_it_is_closed"])),
    ("follow-name.sh", Held(&["following::sources::what_cannot_be_read_waits_and_says_why"])),
    (
        "wait.sh",
        Held(&[
            "following::sources::what_cannot_be_read_waits_and_says_why",
            "following::watching::when_nothing_happens_it_does_next_to_nothing",
        ]),
    ),
    (
        "retry.sh",
        Held(&[
            "following::old_lines::a_file_that_appears_later_is_new_from_its_first_byte",
            "following::sources::a_change_of_state_is_said_once_however_long_it_lasts",
        ]),
    ),
    ("F-vs-missing.sh", Held(&["following::sources::what_cannot_be_read_waits_and_says_why"])),
    ("inotify-dir-recreate.sh", Held(&["following::torture::cases::a_directory_that_is_removed_and_made_again"])),
    (
        "inotify-race.sh",
        Held(&[
            "following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text",
            "following::torture::cases::a_file_that_is_renamed_and_made_anew",
        ]),
    ),
    ("inotify-race2.sh", Held(&["following::torture::several::a_file_that_is_replaced_while_the_daemon_starts"])),
    (
        "truncate.sh",
        Held(&[
            "following::torture::cases::a_file_that_is_truncated_and_grows_again",
            "following::files::loss::a_file_that_is_rewritten_with_the_same_size_is_told",
        ]),
    ),
    (
        "symlink.sh",
        Held(&[
            "following::torture::cases::a_link_that_is_led_to_another_file",
            "following::sources::what_cannot_be_read_waits_and_says_why",
        ]),
    ),
    (
        "follow-symlink.sh",
        Held(&[
            "following::torture::cases::a_link_that_is_led_to_another_file",
            "following::torture::cases::a_rotation_behind_a_link",
        ]),
    ),
    ("append-only.sh", Held(&["following::torture::several::a_file_that_may_only_grow"])),
    (
        "assert.sh",
        Held(&[
            "source::file::tests::so_does_one_that_is_closed_whenever_it_is_idle",
            "following::torture::cases::a_file_that_is_deleted_and_made_again",
        ]),
    ),
    (
        "assert-2.sh",
        Held(&["following::torture::cases::a_file_that_is_deleted_and_made_again", "following::scale::pods_come_and_go"]),
    ),
    ("inotify-hash-abuse.sh", Held(&["following::torture::several::files_that_come_and_go_under_the_same_names_many_times"])),
    ("inotify-hash-abuse2.sh", Held(&["following::torture::several::files_that_come_and_go_under_the_same_names_many_times"])),
    ("overlay-headers.sh", Held(&["following::torture::several::two_files_written_in_turn_while_the_daemon_is_stopped"])),
    (
        "follow-stdin.sh",
        Held(&[
            "integration::command_line::standard_input_that_cannot_be_read_is_refused",
            "integration::stop::without_exit_on_eof_it_goes_on_serving_what_it_holds",
        ]),
    ),
    (
        "pipe-f.sh",
        Held(&[
            "integration::stop::with_exit_on_eof_it_ends_when_the_input_does",
            "integration::output::a_reader_of_standard_output_that_goes_away_ends_the_copying_alone",
        ]),
    ),
    (
        "pipe-f2.sh",
        Held(&[
            "following::pipes::writers::writers_come_and_go_for_ever",
            "following::pipes::writers::before_the_first_writer_it_waits_and_costs_nothing",
        ]),
    ),
    ("pid-pipe.sh", Held(&["following::pipes::places::a_daemon_that_waits_for_its_first_writer_stops_at_once"])),
    ("tail-n0f.sh", Held(&["following::watching::when_nothing_happens_it_does_next_to_nothing"])),
    ("flush-initial.sh", Held(&["following::old_lines::a_client_of_the_first_moment_has_the_last_lines_at_once"])),
    (
        "big-4gb.sh",
        Held(&[
            "following::files::space::offsets_beyond_four_gibibytes",
            "following::files::space::the_last_lines_beyond_four_gibibytes",
        ]),
    ),
    ("tail-c.sh", Not("a stream is made of lines: there is no option that counts bytes of a file")),
    ("tail-sysfs.sh", Not("it reads the last lines of a file of the kernel once; what does not grow is nothing to follow")),
    ("proc-ksyms.sh", Not("it reads the last lines of a file of the kernel once; what does not grow is nothing to follow")),
    ("inotify-only-regular.sh", Held(&["following::sources::what_is_no_source_is_refused_with_a_hint"])),
];
