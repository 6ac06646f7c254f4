"""Django's field, lookups, index and migrations."""

import json
import os

import django
import numpy as np
import pytest
from django.conf import settings

from conftest import DIMENSIONS, near

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ.get("PGDATABASE", "postgres"),
            "HOST": os.environ.get("PGHOST", ""),
            "USER": os.environ.get("PGUSER", "postgres"),
        }
    },
    INSTALLED_APPS=["django.contrib.postgres"],
)
django.setup()

import pgvector.django  # noqa: E402
from django.contrib.postgres.indexes import OpClass  # noqa: E402
from django.core import serializers  # noqa: E402
from django.db import connection, migrations, models  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402
from django.db.migrations.writer import MigrationWriter  # noqa: E402
from django.db.models import Avg, F, OuterRef, Subquery, Value  # noqa: E402
from django.forms import modelform_factory  # noqa: E402

from tqvec import Record, Vector  # noqa: E402
from tqvec.django import (  # noqa: E402
    CosineDistance,
    L1Distance,
    L2Distance,
    MaxInnerProduct,
    TinyquantExtension,
    TinyquantIndex,
    TqVectorField,
)


class Item(models.Model):
    id = models.BigAutoField(primary_key=True)
    embedding = TqVectorField(dimensions=DIMENSIONS, null=True, blank=True)

    class Meta:
        app_label, db_table = "shop", "items"


class PgvectorItem(models.Model):
    """A model of pgvector's package, unchanged."""

    id = models.BigAutoField(primary_key=True)
    embedding = pgvector.django.VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label, db_table = "shop", "items"


@pytest.fixture(params=[False, True], ids=["client-side", "server-side"])
def binding(request):
    """Parameters written into the statement, as is Django's default, and sent beside it."""
    connection.close()
    connection.settings_dict["OPTIONS"] = {"server_side_binding": request.param}
    connection.__dict__.pop("features", None)
    yield
    connection.close()


@pytest.fixture(autouse=True)
def close():
    yield
    connection.close()


@pytest.mark.parametrize("kind", [np.asarray, Vector, np.ndarray.tolist])
def test_objects(table, binding, vectors, stored, held, kind):
    rows = vectors(10)
    Item.objects.create(embedding=kind(rows[0]))
    Item.objects.bulk_create(Item(embedding=kind(row)) for row in rows[1:])
    assert held() == stored(rows)
    for distance in (CosineDistance, L2Distance, MaxInnerProduct, L1Distance):
        nearest = Item.objects.alias(distance=distance("embedding", kind(rows[3]))).order_by("distance")[0]
        assert nearest.id == 4 and type(nearest.embedding) is list and near(nearest.embedding, rows[3])
    near_enough = Item.objects.annotate(distance=CosineDistance("embedding", kind(rows[3]))).filter(distance__lt=0.1)
    assert [item.id for item in near_enough] == [4]
    assert Item.objects.get(embedding=kind(rows[5])).id == 6
    assert Item.objects.exclude(embedding=kind(rows[5])).count() == 9
    assert [item.id for item in Item.objects.filter(embedding__in=[kind(rows[5]), kind(rows[7])]).order_by("id")] == [
        6,
        8,
    ]
    item = Item.objects.get(id=1)
    item.embedding = kind(rows[9])
    item.save()
    item.refresh_from_db()
    assert near(item.embedding, rows[9])
    Item.objects.filter(id=1).update(embedding=None)
    assert Item.objects.filter(embedding__isnull=True).count() == 1
    changed = list(Item.objects.filter(id__lt=3))
    for item in changed:
        item.embedding = kind(rows[8])
    Item.objects.bulk_update(changed, ["embedding"])
    assert held()[:2] == [stored(rows)[8]] * 2


def test_queries(table, binding, vectors, stored, held):
    rows = vectors(10)
    Item.objects.bulk_create(Item(embedding=row) for row in rows)
    mean = Item.objects.aggregate(Avg("embedding"))["embedding__avg"]
    assert np.allclose(mean, rows.mean(axis=0), atol=0.1)
    itself = Subquery(Item.objects.filter(id=OuterRef("id")).values("embedding")[:1])
    assert Item.objects.annotate(distance=CosineDistance("embedding", itself)).filter(distance__lt=1e-5).count() == 10
    columns = Item.objects.annotate(distance=CosineDistance(F("embedding"), F("embedding")))
    assert all(abs(row.distance) < 1e-5 for row in columns)
    assert near(Item.objects.values_list("embedding", flat=True).get(id=3), rows[2])
    constant = Value(rows[2].tolist(), output_field=TqVectorField(dimensions=DIMENSIONS))
    assert Item.objects.order_by(CosineDistance("embedding", constant))[0].id == 3
    assert CosineDistance("embedding", rows[2]) == CosineDistance("embedding", rows[2].tolist())
    Item.objects.create(embedding=Record(stored(rows)[0]))
    assert held()[-1] == stored(rows)[0]


def test_pgvectors_field(pgvector_there, table, vectors):
    rows = vectors(10)
    PgvectorItem.objects.bulk_create(PgvectorItem(embedding=row) for row in rows)
    nearest = PgvectorItem.objects.order_by(pgvector.django.CosineDistance("embedding", rows[3]))[0]
    assert nearest.id == 4 and near(nearest.embedding, rows[3])


def test_forms_and_fixtures(table, vectors):
    (row,) = vectors(1)
    item = Item.objects.create(embedding=row)
    item.refresh_from_db()
    (written,) = json.loads(serializers.serialize("json", [item]))
    read = Item._meta.get_field("embedding").to_python(written["fields"]["embedding"])
    assert Vector(read) == Vector(item.embedding)
    form_class = modelform_factory(Item, fields=["embedding"])
    form = form_class({"embedding": Vector(row).to_text()}, instance=Item())
    assert form.is_valid() and Vector(form.save().embedding) == Vector(row)
    assert not form_class({"embedding": "[0.1,"}).is_valid()
    text = form_class(instance=item)["embedding"].value()
    assert not form_class({"embedding": text}, instance=item).has_changed()
    assert form_class({"embedding": ""}, instance=item).save().embedding is None


FIELDS = [
    (TqVectorField(), "tqvec"),
    (TqVectorField(dimensions=384), "tqvec(384, 4)"),
    (TqVectorField(dimensions=384, bits=None), "tqvec(384)"),
    (
        TqVectorField(dimensions=384, bits=8, residual=True, rotation="hadamard", normalize=True),
        "tqvec(384, 8, residual, hadamard, normalize)",
    ),
    (TqVectorField(codec="50% docs"), "tqvec('50% docs')"),
]


@pytest.mark.parametrize(("field", "sql"), FIELDS, ids=[sql for _, sql in FIELDS])
def test_declarations(field, sql):
    assert field.db_type(connection) == sql
    _, path, args, kwargs = field.deconstruct()
    assert path == "tqvec.django.fields.TqVectorField"
    assert TqVectorField(*args, **kwargs).db_type(connection) == sql


def test_migrations():
    """What makemigrations writes, run forwards and backwards."""
    index = TinyquantIndex(fields=["embedding"], name="notes_embedding", opclasses=["tqvec_ip_ops"], refine="table")
    operations = [
        TinyquantExtension(),
        migrations.CreateModel(
            "Note", [("id", models.BigAutoField(primary_key=True)), ("embedding", TqVectorField(dimensions=384))]
        ),
        migrations.AddIndex("Note", index),
        migrations.AddIndex("Note", TinyquantIndex(OpClass("embedding", name="tqvec_cosine_ops"), name="notes_cosine")),
        migrations.AlterField("Note", "embedding", TqVectorField(dimensions=384, bits=8, null=True)),
    ]
    migration = type("Migration", (migrations.Migration,), {"operations": operations})("0001_initial", "shop")
    namespace = {}
    exec(MigrationWriter(migration).as_string(), namespace)
    migration = namespace["Migration"]("0001_initial", "shop")
    before = ProjectState()
    with connection.schema_editor(atomic=True) as editor:
        after = migration.apply(before, editor)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'embedding'"
                " AND attrelid = 'shop_note'::regclass"
            )
            assert cursor.fetchone() == ("tqvec(384,8)",)
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'notes_embedding'")
            assert "USING tinyquant (embedding tqvec_ip_ops) WITH (refine='table')" in cursor.fetchone()[0]
        editor.delete_model(after.apps.get_model("shop", "Note"))
