import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('roster', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='person',
            name='family_initial',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.functions.text.Substr('family_name', 1, 1), output_field=models.TextField()),
        ),
    ]
