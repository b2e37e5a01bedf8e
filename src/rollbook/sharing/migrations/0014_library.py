import django.db.models.deletion
import rollbook.kernel.ids
import rollbook.kernel.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('roster', '0002_last_initial'),
        ('sharing', '0013_sign_ins_end'),
    ]

    operations = [
        migrations.CreateModel(
            name='Library',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='roster.tenant')),
                ('open', models.BooleanField(default=False)),
                ('roles', models.JSONField(default=list)),
                ('grades', models.JSONField(default=list)),
                ('most', models.IntegerField(default=5)),
                ('changed_by', models.TextField()),
                ('changed_by_id', models.BigIntegerField(default=0)),
                ('changed_at', models.DateTimeField()),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='app',
            name='in_library',
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name='Addition',
            fields=[
                ('id', rollbook.kernel.models.IdField(default=rollbook.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('added_by', models.TextField()),
                ('added_by_id', models.BigIntegerField(default=0)),
                ('added_at', models.DateTimeField()),
                ('ended_by', models.TextField(blank=True, default='')),
                ('ended_by_id', models.BigIntegerField(default=0)),
                ('ended_at', models.DateTimeField(null=True)),
                ('app', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='sharing.app')),
                ('klass', models.ForeignKey(db_column='class_id', db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='roster.class')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='roster.tenant')),
            ],
            options={
                'abstract': False,
                'base_manager_name': 'objects',
                'default_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', 'app', '-id'], name='addition_app')],
                'constraints': [models.UniqueConstraint(models.F('tenant'), models.F('klass'), models.F('app'), condition=models.Q(('ended_at', None)), name='addition_once')],
            },
        ),
    ]
