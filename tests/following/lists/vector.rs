//! Vector: `lib/file-source` and `src/sources/file.rs`.

use super::{Held, NO_STATE, Not, Table};

pub const TESTS: &[&str] = &[
    "experiment",
    "experiment_no_truncations",
    "test_single_byte_delimiter_boundary",
    "qc_read_until_with_max_size",
    "test_checksum_fingerprint",
    "no_error_on_dir",
    "file_truncate",
    "file_rotate",
    "file_read_empty_lines",
    "file_max_line_bytes",
    "test_fair_reads",
    "test_oldest_first",
    "test_split_reads",
    "test_gzipped_file",
    "test_non_utf8_encoded_file",
    "test_multi_char_delimiter_split_across_buffer_boundary",
    "test_checkpointer_restart",
    "file_start_position_server_restart",
    "file_duplicate_processing_after_restart",
    "test_multi_line_checkpointing",
];

pub const HERE: Table = &[
    ("experiment", Held(&["source::file::tests::a_followed_file_gives_what_the_model_says"])),
    ("experiment_no_truncations", Held(&["source::file::tests::a_followed_file_gives_what_the_model_says"])),
    (
        "test_single_byte_delimiter_boundary",
        Held(&["following::files::content::every_split_of_awkward_bytes_gives_the_same_lines"]),
    ),
    ("qc_read_until_with_max_size", Held(&["framing::a_line_of_exactly_the_limit_is_whole_even_with_crlf"])),
    ("test_checksum_fingerprint", Not("files are not known by their first bytes")),
    ("no_error_on_dir", Held(&["following::torture::cases::a_file_that_becomes_a_directory_and_a_file_again"])),
    ("file_truncate", Held(&["following::torture::cases::a_file_that_is_truncated_and_grows_again"])),
    ("file_rotate", Held(&["following::torture::cases::a_file_that_is_renamed_and_made_anew"])),
    ("file_read_empty_lines", Held(&["following::files::content::empty_lines_are_events"])),
    ("file_max_line_bytes", Held(&["following::files::content::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    ("test_fair_reads", Held(&["following::scale::a_file_written_at_full_speed_does_not_hold_up_the_others"])),
    ("test_oldest_first", Held(&["following::torture::cases::two_and_three_renames_between_two_looks"])),
    ("test_split_reads", Held(&["following::old_lines::old_lines_and_new_ones_of_a_busy_file_are_one_text"])),
    ("test_gzipped_file", Held(&["following::files::names::compressed_and_hidden_files_are_left_out_of_globs"])),
    ("test_non_utf8_encoded_file", Held(&["following::files::content::bytes_that_are_not_utf8_are_shown_as_such"])),
    ("test_multi_char_delimiter_split_across_buffer_boundary", Held(&["following::torture::cases::lines_that_end_in_cr_and_lf"])),
    ("test_checkpointer_restart", Not(NO_STATE)),
    ("file_start_position_server_restart", Held(&["following::old_lines::a_file_begins_where_the_user_says"])),
    (
        "file_duplicate_processing_after_restart",
        Held(&["following::old_lines::who_comes_from_another_life_gets_a_gap_and_nothing_again"]),
    ),
    ("test_multi_line_checkpointing", Not("a line is an event; lines are not joined")),
];
