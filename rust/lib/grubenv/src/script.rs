//! The table as a script for GRUB.

use crate::boot::{Count, Pick, Row, Slot, ALTERNATIVE, CYCLE, SPARE, SPARE_OF, TABLE, TRIES};
use crate::{Cycle, BARRED};

/// The key of the script's place for [`crate::Limit`].
pub const LIMIT_KEY: &str = "BOOT_LIMIT";

const HEAD: &str = r#"# Which slot to start. Written by the crate grubenv, which has the table and simulates this script: don't edit.
#
# `regexp`, `[`, `probe` and all the others must be built in: `if` takes a command that GRUB does not know for true.
# An `x` before what is compared: a value could look like an operator.

# find ID: sets $found to the partition of the boot disk with that PARTUUID, as (hd0,gpt2).
function find {
    set found="(missing)"
    for partition in ($disk,gpt*); do
        set id=
        probe --set=id --part-uuid $partition
        if [ "x$id" = "x$1" ]; then
            set found=$partition
        fi
    done
}

# load SLOT: starts the system of a slot; comes back if it can't be read, if its signature is wrong or if the firmware refuses it.
function load {
    echo "starting slot $1"
    if [ "x$1" = xB ]; then
        if chainloader $B_boot/uki.efi @2; then
            boot
        fi
    else
        if chainloader $A_boot/uki.efi @1; then
            boot
        fi
    fi
    echo "slot $1 does not start"
}

find {{partuuid:grub}}
set main=$found/grubenv
find {{partuuid:esp}}
set spare=$found/EFI/BOOT/grubenv
find {{partuuid:A_boot}}
set A_boot=$found
find {{partuuid:B_boot}}
set B_boot=$found

# Named variables only: a file that nobody signed must not be able to set anything else.
"#;

const SAVE: &str = r#"
# save: writes the state to the first place that takes it, and sets $saved.
function save {
    set saved=
    if save_env --file $main MAIN_NAMES; then
        set saved=1
        if [ "x$spare_of" != x ]; then
            set spare_of=
            save_env --file $spare spare_of
        fi
    else
        set spare_of="$was"
SET_SPARE        if save_env --file $spare SPARE_NAMES; then
            set saved=1
        fi
    fi
}
"#;

const END: &str = r#"
# fall: the state that follows when the slot did not start, or must not: the other one, as a system that works.
function fall {
    if [ "x$boot_alternative" = xB ]; then
        set boot_alternative=A
    else
        set boot_alternative=B
    fi
    set boot_cycle=stable
    set boot_tries=1
    set trial=
}

echo "slot $boot_alternative, boot_cycle $boot_cycle, boot_tries $boot_tries"
save
if [ "x$saved" = x ]; then
    echo "the state can't be saved"
    # An upgrade whose tries can't be counted could be tried for ever.
    if [ "x$trial" = x1 ]; then
        fall
    fi
fi
load $boot_alternative
fall
if usable $boot_alternative; then
    save
    load $boot_alternative
fi
# No prompt: the next start decides again.
echo "restarting"
sleep 5
reboot
"#;

/// The script, as a template: `{{partuuid:NAME}}` are the partitions `esp`, `grub`, `A_boot` and `B_boot`, `{{BOOT_LIMIT}}` is the limit.
pub fn grub_script() -> String {
    let names = [ALTERNATIVE, CYCLE, TRIES];
    let found = names.map(|name| format!("${name}")).join(" ");
    let set_spare = SPARE
        .iter()
        .zip(names)
        .map(|(spare, name)| format!("        set {spare}=\"${name}\"\n"))
        .collect::<String>();
    let use_spare = SPARE
        .iter()
        .zip(names)
        .map(|(spare, name)| format!("    set {name}=\"${spare}\"\n"))
        .collect::<String>();
    let load = format!(
        "load_env --skip-sig --file $main {main} {BARRED}\n\
         set was=\"{found}\"\n\
         load_env --skip-sig --file $spare {SPARE_OF} {spare}\n\
         # The spare one holds as long as the main one has the values from which it was written.\n\
         if [ \"x${SPARE_OF}\" = \"x$was\" ]; then\n{use_spare}fi\n",
        main = names.join(" "),
        spare = SPARE.join(" "),
    );
    let save = SAVE
        .replace("MAIN_NAMES", &names.join(" "))
        .replace("SPARE_NAMES", &format!("{SPARE_OF} {}", SPARE.join(" ")))
        .replace("SET_SPARE", &set_spare);
    [HEAD, &load, &known(), &usable(), &table(), &save, END].concat()
}

/// Values that are unknown become those that stand for them, and `more` the number of this try, or nothing if it is one too many.
fn known() -> String {
    let mut text = String::from(
        "\nif [ \"x$boot_alternative\" = xB ]; then\n    set other=A\nelse\n    set boot_alternative=A\n    set other=B\nfi\n\n\
         # The number of this try, or nothing if it is one too many.\nset more=1\n",
    );
    for (before, this) in (1..=9).zip(2..=10) {
        let word = if before == 1 { "if" } else { "elif" };
        text.push_str(&format!(
            "{word} [ \"x${TRIES}\" = x{before} ]; then\n    set more={this}\n"
        ));
    }
    text.push_str(&format!(
        "fi\nif [ $more -gt {{{{{LIMIT_KEY}}}}} ]; then\n    set more=\nfi\n"
    ));
    text
}

/// Whether a slot may be fallen back to. The files are looked at by name only: reading them would ask for a signature.
fn usable() -> String {
    let mut text = format!(
        "\n# usable SLOT: whether it holds a system, and nobody barred it. An upgrade writes the start of a boot partition last.\n\
         function usable {{\n    if [ \"x$1\" = \"x${BARRED}\" ]; then\n        false\n"
    );
    for slot in [Slot::A, Slot::B] {
        text.push_str(&format!(
            "    elif [ \"x$1\" = x{slot} -a -f ${slot}_boot/uki.efi -a -f ${slot}_boot/uki.efi.sig ]; then\n        true\n"
        ));
    }
    text.push_str("    else\n        false\n    fi\n}\n");
    text
}

fn table() -> String {
    let mut text = String::from(
        "\nset other_usable=\nif usable $other; then\n    set other_usable=1\nfi\n\n# The table.\nset trial=\n",
    );
    // What no row names is like the last cycle.
    for (cycle, word) in Cycle::ALL.into_iter().zip(["if", "elif", "elif"]) {
        text.push_str(&format!("{word} [ \"x${CYCLE}\" = x{cycle} ]; then\n"));
        rows(cycle, &mut text);
    }
    text.push_str("else\n");
    rows(Cycle::Stable, &mut text);
    text.push_str("fi\n");
    text
}

/// The rows of one cycle.
fn rows(cycle: Cycle, text: &mut String) {
    let rows = TABLE.iter().filter(|row| row.cycle == cycle);
    let mut word = "if";
    let mut nested = false;
    for row in rows {
        let conditions = [
            row.more.map(|is| has("more", is)),
            row.other.map(|is| has("other_usable", is)),
        ];
        let conditions = conditions.into_iter().flatten().collect::<Vec<_>>();
        if conditions.is_empty() {
            action(row, "    ", text);
        } else {
            nested = true;
            text.push_str(&format!(
                "    {word} [ {} ]; then\n",
                conditions.join(" -a ")
            ));
            action(row, "        ", text);
            word = "elif";
        }
    }
    if nested {
        text.push_str("    fi\n");
    }
}

fn has(name: &str, is: bool) -> String {
    format!("\"x${name}\" {} x", if is { "!=" } else { "=" })
}

fn action(row: &Row, indent: &str, text: &mut String) {
    if row.boots == Pick::Other {
        text.push_str(&format!("{indent}set {ALTERNATIVE}=$other\n"));
    }
    text.push_str(&format!("{indent}set {CYCLE}={}\n", row.left));
    let tries = match row.count {
        Count::First => "1",
        Count::Next => "$more",
    };
    text.push_str(&format!("{indent}set {TRIES}={tries}\n"));
    if matches!(row.left, Cycle::FirstBoot | Cycle::FailsafeCheck) {
        text.push_str(&format!("{indent}set trial=1\n"));
    }
}
