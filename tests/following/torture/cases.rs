//! What happens to one file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::judge::Item;
use super::scene::{Ending, PLAIN, Scene, Setting, appending};
use super::{Before, CLOCK_STEP, Event, torture};

#[test]
fn a_file_that_is_renamed_and_made_anew() {
    torture(PLAIN, Before::Any, Scene::rename_and_create);
}

#[test]
fn two_and_three_renames_between_two_looks() {
    torture(PLAIN, Before::Any, rename_twice_or_more);
}

fn rename_twice_or_more(scene: &mut Scene) {
    for _ in 0..scene.random.below(2) + 1 {
        scene.rename_and_create();
        scene.write();
    }
    scene.rename_and_create();
}

#[test]
fn a_file_that_is_copied_and_truncated() {
    torture(PLAIN, Before::Any, copy_and_truncate);
}

fn copy_and_truncate(scene: &mut Scene) {
    for _ in 0..scene.random.below(2) + 1 {
        let name = scene.rotated_name(&scene.path.clone());
        scene.copy_and_truncate(&name);
        scene.write();
    }
}

#[test]
fn a_file_that_is_copied_and_truncated_whose_writer_keeps_its_offset() {
    torture(PLAIN, Before::Any, |scene| {
        let mut file = OpenOptions::new().write(true).open(&scene.path).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        scene.file = Some(file);
        scene.write();
        copy_and_truncate(scene);
    });
}

/// What was copied cannot be found, so what was unread is lost.
#[test]
fn a_file_that_is_copied_elsewhere_and_truncated() {
    torture(PLAIN, Before::Any, |scene| {
        scene.doubt_unread();
        let name = scene.directory.path().join("elsewhere");
        scene.copy_and_truncate(&name);
    });
}

/// What was unread is lost. The file is shorter than before, or longer.
#[test]
fn a_file_that_is_truncated_and_grows_again() {
    torture(PLAIN, Before::Any, truncate_and_grow);
}

fn truncate_and_grow(scene: &mut Scene) {
    scene.doubt_unread();
    let length = fs::metadata(&scene.path).unwrap().len();
    scene.truncate();
    if scene.random.below(2) == 0 {
        while fs::metadata(&scene.path).unwrap().len() <= length {
            scene.write();
        }
    }
}

#[test]
fn a_file_that_is_deleted_and_made_again() {
    torture(PLAIN, Before::Seen, delete_and_make);
}

fn delete_and_make(scene: &mut Scene) {
    fs::remove_file(&scene.path).unwrap();
    if scene.random.below(2) == 0 {
        scene.write(); // to the file without a name
    }
    thread::sleep(CLOCK_STEP);
    scene.open();
}

#[test]
fn a_file_that_is_replaced_by_another_one() {
    torture(PLAIN, Before::Seen, replace);
}

fn replace(scene: &mut Scene) {
    let new = scene.directory.path().join("new");
    let mut file = appending(&new);
    if scene.random.below(2) == 0 {
        scene.write(); // still to the old one
    }
    scene.expected.push(Item::Other);
    let number = scene.next_line(true);
    file.write_all(&scene.bytes(number)).unwrap();
    thread::sleep(CLOCK_STEP);
    fs::rename(&new, &scene.path).unwrap();
    scene.file = Some(file);
}

#[test]
fn a_link_that_is_led_to_another_file() {
    let setting = Setting {
        prepare: |directory| {
            symlink("v0.txt", directory.join("app.log")).unwrap();
            directory.join("app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        scene.rotations += 1;
        let target = format!("v{}.txt", scene.rotations);
        let directory = scene.directory.path().to_owned();
        if scene.random.below(2) == 0 {
            symlink(&target, directory.join("link")).unwrap();
            fs::rename(directory.join("link"), &scene.path).unwrap();
        } else {
            fs::remove_file(&scene.path).unwrap();
            scene.write(); // to the old target
            symlink(&target, &scene.path).unwrap();
        }
        scene.open();
    });
}

#[test]
fn a_rotation_behind_a_link() {
    let setting = Setting {
        prepare: |directory| {
            fs::create_dir(directory.join("pod")).unwrap();
            symlink("pod/0.log", directory.join("container.log")).unwrap();
            directory.join("container.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Any, |scene| {
        scene.rename_and_create();
        if scene.random.below(2) == 0 {
            scene.write();
            scene.rename_and_create();
        }
    });
}

/// Makes version `number` of the directory that Kubernetes mounts, and leads `..data` to it.
fn swap_data(directory: &Path, number: usize) {
    let version = format!("..v{number}");
    fs::create_dir(directory.join(&version)).unwrap();
    File::create(directory.join(&version).join("app.log")).unwrap();
    symlink(&version, directory.join("..data_tmp")).unwrap();
    fs::rename(directory.join("..data_tmp"), directory.join("..data")).unwrap();
}

#[test]
fn the_data_directory_of_kubernetes_is_swapped() {
    let setting = Setting {
        prepare: |directory| {
            swap_data(directory, 0);
            symlink("..data/app.log", directory.join("app.log")).unwrap();
            directory.join("app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        let old = scene.rotations;
        scene.rotations += 1;
        swap_data(scene.directory.path(), scene.rotations);
        if scene.random.below(2) == 0 {
            fs::remove_dir_all(scene.directory.path().join(format!("..v{old}"))).unwrap();
        }
        scene.open();
    });
}

#[test]
fn a_directory_that_is_removed_and_made_again() {
    let setting = Setting {
        prepare: |directory| {
            fs::create_dir_all(directory.join("a/b")).unwrap();
            directory.join("a/b/app.log")
        },
        ..PLAIN
    };
    torture(setting, Before::Seen, |scene| {
        let top = scene.directory.path().join("a");
        if scene.random.below(2) == 0 {
            fs::remove_dir_all(&top).unwrap();
        } else {
            scene.rotations += 1;
            fs::rename(&top, scene.directory.path().join(format!("away{}", scene.rotations))).unwrap();
        }
        if scene.random.below(2) == 0 {
            scene.write(); // to the file without this name
        }
        thread::sleep(CLOCK_STEP);
        fs::create_dir_all(scene.path.parent().unwrap()).unwrap();
        scene.open();
    });
}

#[test]
fn a_file_whose_rights_go_and_come_back() {
    torture(Setting { as_nobody: true, ..PLAIN }, Before::Any, |scene| {
        let (directory, path) = (scene.directory.path().to_owned(), scene.path.clone());
        match scene.random.below(3) {
            0 => chmod(&path, 0o000),
            1 => chmod(&directory, 0o700), // nobody may not look into it
            _ => {
                scene.rename_and_create();
                chmod(&path, 0o000);
            }
        }
        scene.write();
        if !scene.is_stopped && scene.random.below(2) == 0 {
            thread::sleep(Duration::from_millis(300)); // longer than a look without hints takes to notice
        }
        scene.write();
        chmod(&path, 0o644);
        chmod(&directory, 0o755);
    });
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_line_that_is_finished_later() {
    torture(PLAIN, Before::Any, finish_a_line_later);
}

fn finish_a_line_later(scene: &mut Scene) {
    let number = scene.next_line(true);
    let bytes = scene.bytes(number);
    let (first, second) = (scene.random.below(bytes.len()), scene.random.below(bytes.len()));
    scene.write_bytes(&bytes[..first]);
    if !scene.is_stopped {
        thread::sleep(Duration::from_millis(scene.random.below(600) as u64)); // a look or two fall in between, or none
    }
    let second = second.max(first);
    scene.write_bytes(&bytes[first..second]);
    if scene.random.below(2) == 0 {
        let name = scene.rotated_name(&scene.path.clone());
        fs::rename(&scene.path, name).unwrap();
        scene.write_bytes(&bytes[second..]);
        scene.open();
    } else {
        scene.write_bytes(&bytes[second..]);
    }
}

#[test]
fn lines_that_end_in_cr_and_lf() {
    torture(Setting { ending: Ending::CrLf, ..PLAIN }, Before::Any, |scene| {
        let number = scene.next_line(true);
        let bytes = scene.bytes(number);
        let (most, last) = bytes.split_at(bytes.len() - 1);
        scene.write_bytes(most); // all but the LF
        if !scene.is_stopped {
            thread::sleep(Duration::from_millis(scene.random.below(300) as u64)); // a look falls in between, or none
        }
        scene.write_bytes(last);
        if scene.random.below(2) == 0 {
            scene.rename_and_create();
        }
    });
}

#[test]
fn a_file_that_becomes_a_directory_and_a_file_again() {
    torture(PLAIN, Before::Seen, become_a_directory);
}

fn become_a_directory(scene: &mut Scene) {
    if scene.random.below(2) == 0 {
        fs::remove_file(&scene.path).unwrap();
    } else {
        let name = scene.rotated_name(&scene.path.clone());
        fs::rename(&scene.path, name).unwrap();
    }
    fs::create_dir(&scene.path).unwrap();
    if scene.random.below(2) == 0 {
        scene.write(); // to the file without this name
    }
    if !scene.is_stopped && scene.random.below(2) == 0 {
        scene.bridge.wait_for_stderr("it is a directory");
    }
    thread::sleep(CLOCK_STEP);
    fs::remove_dir(&scene.path).unwrap();
    scene.open();
}

/// All of it, in any order, to one file.
#[test]
fn everything_in_any_order() {
    torture(PLAIN, Before::Seen, |scene| {
        let events: [Event; 8] = [
            Scene::rename_and_create,
            rename_twice_or_more,
            copy_and_truncate,
            truncate_and_grow,
            delete_and_make,
            replace,
            finish_a_line_later,
            become_a_directory,
        ];
        let event = events[scene.random.below(events.len())];
        event(scene);
    });
}
