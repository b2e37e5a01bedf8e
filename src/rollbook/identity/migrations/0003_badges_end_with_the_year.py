import datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_people_sign_in")]

    operations = [
        migrations.AddField(
            model_name="badge",
            name="ends_on",
            field=models.DateField(default=datetime.date(2027, 8, 31)),
            preserve_default=False,
        ),
    ]
