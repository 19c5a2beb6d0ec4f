"""Whether an installation is whole: each delivery, file of observations and public file is there and unchanged."""

from __future__ import annotations

import sys

from tocsin import cli


def main() -> int:
    """Check the installation of TOCSIN_HOME; 1 when something is missing or changed."""
    installation = cli.setup()
    from django.core.management import call_command
    from django.db import connection

    from tocsin.centre.alerts import files, upkeep
    from tocsin.centre.intake.models import Delivery, LakeFile
    from tocsin.centre.intake.originals import digest_of
    from tocsin.centre.intake.store import delivery_path
    from tocsin.lake.files import file_digest
    from tocsin.site import own_keys

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA integrity_check")
            if cursor.fetchone()[0] != "ok":
                print("The database is damaged.")
                return 1
    call_command("migrate", verbosity=0, interactive=False)
    store = installation.store_folder
    if faults := own_keys.faults():
        print("\n".join(f"{each}." for each in faults.values()))
        return 1
    kept = Delivery.objects.exclude(state=Delivery.State.PURGED).values_list("sha256", flat=True)
    expected = {delivery_path(store, sha256): sha256 for sha256 in kept}
    deliveries = len(expected)
    wrong = [path for path, digest in expected.items() if not path.is_file() or digest_of(path) != digest]
    lake = {store / path: digest for path, digest in LakeFile.objects.values_list("path", "digest")}
    wrong += [path for path, digest in lake.items() if not path.is_file() or file_digest(path) != digest]
    expected |= lake
    wrong += [files.path_of(sha256) for sha256 in files.damaged(sorted(upkeep.named()))]
    for path in wrong:
        print(f"Missing or changed: {path}")
    rows = sum(LakeFile.objects.values_list("rows", flat=True))
    print(f"{deliveries:,} deliveries, {len(expected) - deliveries:,} files, {rows:,} observations; {len(wrong)} wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
