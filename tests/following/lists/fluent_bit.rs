//! Fluent Bit: `tests/integration/scenarios/in_tail`, and `tests/runtime/in_tail.c`.

use super::{Held, NO_STATE, Not, Table};

pub const TESTS: &[&str] = &[
    "follows_rename_rotation",
    "handles_multiple_rename_rotations",
    "handles_copytruncate_with_stale_writer",
    "handles_symlink_target_rotation",
    "stat_backend_covers_nfs_style_polling",
    "rotate_wait_keeps_old_inode_then_purges_it",
    "delete_and_recreate_same_path_is_reingested",
    "restart_resumes_from_db_offset",
    "copytruncate_across_restart_reads_new_content_only",
    "partial_line_across_restart_is_completed_once",
    "multi_file_rapid_rotation",
    "skip_long_lines_keeps_surrounding_records",
    "truncate_long_lines",
    "discovers_file_after_permissions_are_restored",
    "newly_discovered_files_can_start_from_tail",
    "db_compare_filename_replays_renamed_file_after_restart",
    "ignore_active_older_files_resumes_updated_file",
    "truncate_long_lines_utf8",
    "inotify_pause_collectors",
    "db_delete_stale_file",
    "skip_empty_lines_crlf",
];

pub const HERE: Table = &[
    ("follows_rename_rotation", Held(&["following::torture::cases::a_file_that_is_renamed_and_made_anew"])),
    ("handles_multiple_rename_rotations", Held(&["following::torture::cases::two_and_three_renames_between_two_looks"])),
    (
        "handles_copytruncate_with_stale_writer",
        Held(&["following::torture::cases::a_file_that_is_copied_and_truncated_whose_writer_keeps_its_offset"]),
    ),
    (
        "handles_symlink_target_rotation",
        Held(&[
            "following::torture::cases::a_link_that_is_led_to_another_file",
            "following::torture::cases::the_data_directory_of_kubernetes_is_swapped",
        ]),
    ),
    (
        "stat_backend_covers_nfs_style_polling",
        Held(&["following::watching::polling_follows_everything_and_asks_the_kernel_for_nothing"]),
    ),
    (
        "rotate_wait_keeps_old_inode_then_purges_it",
        Held(&[
            "following::files::rotation::late_lines_of_a_renamed_file_come_and_then_it_is_closed",
            "following::files::rotation::the_space_of_a_deleted_file_is_given_back",
        ]),
    ),
    ("delete_and_recreate_same_path_is_reingested", Held(&["following::torture::cases::a_file_that_is_deleted_and_made_again"])),
    ("restart_resumes_from_db_offset", Not(NO_STATE)),
    ("copytruncate_across_restart_reads_new_content_only", Not(NO_STATE)),
    (
        "partial_line_across_restart_is_completed_once",
        Held(&["following::files::content::a_partial_line_is_not_given_at_the_stop"]),
    ),
    ("multi_file_rapid_rotation", Held(&["following::torture::several::several_files_that_are_rotated_fast"])),
    (
        "skip_long_lines_keeps_surrounding_records",
        Held(&[
            "following::files::content::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two",
            "integration::output::a_long_line_is_told_once",
        ]),
    ),
    ("truncate_long_lines", Held(&["following::files::content::lines_of_a_mebibyte_are_whole_and_one_byte_more_is_two"])),
    (
        "discovers_file_after_permissions_are_restored",
        Held(&[
            "following::torture::cases::a_file_whose_rights_go_and_come_back",
            "following::old_lines::a_file_that_may_be_read_only_later_begins_where_the_user_says",
        ]),
    ),
    (
        "newly_discovered_files_can_start_from_tail",
        Not("a file that appears is new from its first byte, always: starting at its end would lose lines"),
    ),
    ("db_compare_filename_replays_renamed_file_after_restart", Not(NO_STATE)),
    (
        "ignore_active_older_files_resumes_updated_file",
        Not("files are not left out for their age: an idle one costs no descriptor"),
    ),
    ("truncate_long_lines_utf8", Held(&["framing::long_lines_are_cut_between_characters"])),
    ("inotify_pause_collectors", Not("reading is never paused: a slow client costs a cursor and a socket")),
    ("db_delete_stale_file", Held(&["pipeline::lanes::a_channel_without_a_path_is_forgotten_after_an_hour"])),
    (
        "skip_empty_lines_crlf",
        Held(&["following::files::content::empty_lines_are_events", "following::torture::cases::lines_that_end_in_cr_and_lf"]),
    ),
];
