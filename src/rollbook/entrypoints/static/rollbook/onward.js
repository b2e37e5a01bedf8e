// A form that carries an answer to an app sends itself. Without JavaScript its button does.
document.getElementById("onward").submit();
